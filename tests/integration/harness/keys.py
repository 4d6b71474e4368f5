"""Keys and certificates of a test's own, made by openssl."""

import ssl
import subprocess
import urllib.request

_CURVE = ["-pkeyopt", "ec_paramgen_curve:P-256"]
KINDS = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ES256": ["EC", *_CURVE]}


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def make_key(folder, alg, name="client"):
    """Files NAME.key (0600) and NAME.pub; returns their paths."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    _openssl(folder, "genpkey", "-algorithm", *KINDS[alg], "-out", private)
    _openssl(folder, "pkey", "-in", private, "-pubout", "-out", public)
    private.chmod(0o600)
    return private, public


class Keys:
    """An authority for a provider's clients, and the certificate of the provider's https."""

    def __init__(self, folder):
        self.folder = folder
        self._authority("server", "-addext", "subjectAltName=IP:127.0.0.1")
        self._authority("clients")
        self.ca_file = folder / "server.crt"
        both = folder / "server.pem"
        both.write_text(self.ca_file.read_text() + (folder / "server.key").read_text())
        self.server_arguments = ["--certificate", str(both),
                                 "--client-ca", str(folder / "clients.crt")]
        context = ssl.create_default_context(cafile=self.ca_file)
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                urllib.request.HTTPSHandler(context=context)).open

    def client(self, name):
        """Files NAME.crt and NAME.key (0600); returns their paths."""
        private, certificate = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        _openssl(self.folder, "req", "-newkey", "ec", *_CURVE, "-nodes", "-subj", f"/CN={name}",
                 "-keyout", private, "-out", f"{name}.csr")
        _openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "clients.crt", "-CAkey",
                 "clients.key", "-CAcreateserial", "-days", "2", "-out", certificate)
        private.chmod(0o600)
        return certificate, private

    def _authority(self, name, *more):
        _openssl(self.folder, "req", "-x509", "-newkey", "ec", *_CURVE, "-nodes", "-days", "2",
                 "-subj", f"/CN={name}", *more, "-keyout", f"{name}.key", "-out", f"{name}.crt")
