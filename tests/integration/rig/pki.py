"""The hospital's certificate authority, made anew for each run: what the gateway must trust, and what it must refuse.

`make(folder)` writes PEM files (keys without a passphrase, mode 0600) and returns a `Pki` that names them. Server certificates are
for 127.0.0.1 and localhost.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Server:
    """One server identity. `pem` is certificate and key in one file, as Orthanc wants it; `p12` is for Java."""

    cert: Path
    key: Path
    pem: Path
    p12: Path


@dataclass(frozen=True)
class Pki:
    ca: Path
    other_ca: Path
    server: Server
    client: Server
    expired: Server
    not_yet_valid: Server
    from_other_ca: Server


P12_PASSWORD = "rig"


def make(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.timezone.utc)
    ca = _authority(folder / "ca.pem", "Hospital Test CA", now)
    other = _authority(folder / "other-ca.pem", "Somebody Else's CA", now)
    return Pki(
        ca=folder / "ca.pem",
        other_ca=folder / "other-ca.pem",
        server=_server(folder / "server", ca, now - _DAY, now + 30 * _DAY),
        client=_server(
            folder / "client", ca, now - _DAY, now + 30 * _DAY, "health-post", ExtendedKeyUsageOID.CLIENT_AUTH
        ),
        expired=_server(folder / "expired", ca, now - 30 * _DAY, now - _DAY),
        not_yet_valid=_server(folder / "not-yet-valid", ca, now + _DAY, now + 30 * _DAY),
        from_other_ca=_server(folder / "from-other-ca", other, now - _DAY, now + 30 * _DAY),
    )


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority(path, common_name, now):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 365 * _DAY)
        .not_valid_after(now + 365 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _server(
    stem, authority, not_before, not_after, common_name="localhost", usage=ExtendedKeyUsageOID.SERVER_AUTH
):
    ca_certificate, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(ca_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    cert_pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    bundle = pkcs12.serialize_key_and_certificates(
        b"server", key, certificate, None, serialization.BestAvailableEncryption(P12_PASSWORD.encode())
    )
    server = Server(*(stem.with_name(stem.name + end) for end in (".crt", ".key", ".pem", ".p12")))
    server.cert.write_bytes(cert_pem)
    for path, content in ((server.key, key_pem), (server.pem, cert_pem + key_pem), (server.p12, bundle)):
        path.touch(mode=0o600)
        path.write_bytes(content)
    return server


def _key_usage(signs_certificates):
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
