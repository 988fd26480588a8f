"""A private certificate authority made on the fly with openssl, with intermediate ones below it if wished."""
import subprocess
from collections import namedtuple

Server = namedtuple("Server", "ca certificate key")


class Authority:
    """`intermediates`: how many authorities stand between this one and what it issues. A certificate's file then
    holds the whole chain, the authority's own included."""

    def __init__(self, folder, name="private test authority", intermediates=0):
        self._folder = folder / name.replace(" ", "-")
        self._folder.mkdir()
        self.ca, key = self._folder / "ca.pem", self._folder / "ca.key"
        self._openssl("req", "-x509", *self._new_key(key), "-days", "2", "-subj", f"/CN={name}", "-out", self.ca)
        self._issuer, self._issuer_key, self._chain = self.ca, key, [self.ca]
        for number in range(1, intermediates + 1):
            below = self._sign(f"{name} {number}", "basicConstraints=critical,CA:TRUE")
            self._issuer, self._issuer_key = below
            self._chain.insert(0, self._issuer)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")

    @staticmethod
    def _new_key(file):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file

    def _sign(self, name, extension):
        """(certificate, key) of that name, signed by the lowest authority."""
        key, request, certificate, extensions = (
            self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem", "ext"))
        extensions.write_text(f"{extension}\n", encoding="ascii")
        self._openssl("req", "-new", *self._new_key(key), "-subj", f"/CN={name}", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self._issuer, "-CAkey", self._issuer_key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key

    def issue(self, name, alternatives):
        """A certificate and key; alternatives as in "DNS:localhost,IP:127.0.0.1"."""
        certificate, key = self._sign(name, f"subjectAltName={alternatives}")
        if len(self._chain) > 1:
            with open(certificate, "ab") as chain:
                chain.writelines(above.read_bytes() for above in self._chain)
        return Server(self.ca, certificate, key)
