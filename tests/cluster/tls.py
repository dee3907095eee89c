"""Certificates for a database server, made with openssl."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess

from . import undo
from .programs import environment, program, scratch_parent


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path


class TlsFiles:
    """Until the end of the `with` block:

    `authority`: the certificate to trust (`sslrootcert`). `server`: for `localhost`. `wrong_host`: of the same authority, for
    another host. `stranger`: the certificate of an authority that signed none of them.
    """

    def __enter__(self) -> TlsFiles:
        self.directory, self._trace = undo.directory(scratch_parent(), "scaivault-tls-")
        try:
            issuer = self._authority("authority")
            self.authority = issuer.certificate
            self.stranger = self._authority("stranger").certificate
            self.server = self._server(issuer, "server", "localhost")
            self.wrong_host = self._server(issuer, "wrong-host", "elsewhere.example")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        undo.undo(self._trace)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            [program("openssl"), *arguments], check=True, cwd=self.directory, env=environment(), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=30,
        )

    def _pair(self, name: str) -> Pair:
        return Pair(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    def _request(self, name: str, subject: str, *more: str) -> None:
        self._openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
            "-subj", f"/CN={subject}", *more,
        )

    def _authority(self, name: str) -> Pair:
        self._request(
            name, f"ScaiVault test {name}", "-x509", "-days", "30", "-out", f"{name}.crt",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )
        return self._pair(name)

    def _server(self, issuer: Pair, name: str, host: str) -> Pair:
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
        )
        self._request(name, host, "-out", f"{name}.csr")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", str(issuer.certificate), "-CAkey", str(issuer.key), "-CAcreateserial",
            "-days", "30", "-extfile", str(extensions), "-out", f"{name}.crt",
        )
        return self._pair(name)
