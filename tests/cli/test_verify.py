"""``unrelu verify`` of networks with blocks, against ONNX files."""

from tests.certificates.links.onnx_models import contractive, proved


def test_a_residual_block_in_an_onnx_file(unrelu, tmp_path):
    path = contractive(tmp_path)
    made, proof = proved(path), tmp_path / "proof.json"
    for rows in (True, False):
        proof.write_text(made.to_json(rows=rows), encoding="utf-8")
        done = unrelu("verify", proof, path)
        assert (done.code, done.err) == (0, "")
        assert "2 links, 1 ReLU layer among them, are injective on R^4" in done.out
        assert "proved; grade: exact" in done.out
    done = unrelu("verify", proof)
    assert done.code == 3 and "does not hold its numbers" in done.out


def test_another_model_is_refused(unrelu, tmp_path):
    proof = tmp_path / "proof.json"
    proof.write_text(proved(contractive(tmp_path)).to_json(), encoding="utf-8")
    done = unrelu("verify", proof, "model.onnx")
    assert done.code == 3 and "not proved: the network given has 1 links" in done.out
    assert "link 1 ('head')" in done.err and "read by the importer instead" in done.err
    assert done.err.count("\n") == 1
