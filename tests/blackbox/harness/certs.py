"""A private certificate authority made on the fly with openssl."""
import subprocess
from collections import namedtuple

Server = namedtuple("Server", "ca certificate key")


class Authority:
    def __init__(self, folder, name="private test authority"):
        self._folder = folder / name.replace(" ", "-")
        self._folder.mkdir()
        self.ca, self._key = self._folder / "ca.pem", self._folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                      "2", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.ca)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")

    def issue(self, name, alternatives):
        """A certificate and key; alternatives as in "DNS:localhost,IP:127.0.0.1"."""
        key, csr, certificate = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n", encoding="ascii")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", key, "-out", csr)
        self._openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2",
                      "-extfile", extensions, "-out", certificate)
        return Server(self.ca, certificate, key)
