"""Make report.png: the top of the demo's report as a browser shows it; run from the repository root."""

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

WIDTH = 1200
CROP = """
const layer = document.querySelector("#layer-1"), images = [...layer.querySelectorAll("h3 ~ .split img")];
for (const part of layer.querySelectorAll(":scope > .split:has(dl), :scope > .scroll")) part.remove();
for (const image of images) image.style.clipPath = `inset(0 0 ${100 * (1 - arguments[0])}% 0)`;
const box = images[0].getBoundingClientRect();
return Math.ceil(box.top + window.scrollY + box.height * arguments[0]) + 20;
"""
FIRST_ROW = 0.365  # share of a column of three triptychs that shows the first


def main() -> None:
    """Run the demo, open its report, keep header, verdict, summary and the first reconstructions."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"):
        options.add_argument(argument)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "unrelu", "demo", "-o", folder], check=True)
        driver = webdriver.Chrome(
            options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
        )
        size = {"width": WIDTH, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get((Path(folder) / "report.html").as_uri())
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": driver.execute_script(CROP, FIRST_ROW), "scale": 1}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        driver.quit()
    Path(__file__).with_name("report.png").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main()
