"""A real Mosquitto with its own configuration on its own port, to be frozen, killed and restarted."""
import os
import subprocess

from . import net
from .broker_process import BrokerProcess


class Broker(BrokerProcess):
    """options: further lines of mosquitto.conf as a dict; tls: a harness.certs.Server; also_tls: the same for
    a second listener, at tls_url, which wants client certificates and logs the names in them; tls_version: the
    only one it speaks, such as "TLSv1.2"; passwords: dict; acl: text of an ACL file; verbose: log() shows every
    packet, too much for a long run."""

    def __init__(self, folder, host="127.0.0.1", options=None, tls=None, client_certificates=False,
                 passwords=None, acl=None, port=None, verbose=True, also_tls=None, tls_version=None):
        super().__init__("Mosquitto", port, host)
        self.tls = tls
        self.also_tls = also_tls
        self.tls_url = f"mqtts://localhost:{net.free_port(host)}" if also_tls else None
        self._folder = folder
        self._file = folder / f"mosquitto-{self.port}.conf"
        self._passwords = passwords
        self._verbose = verbose
        self._file.write_text(self._text(options or {}, client_certificates, acl), encoding="utf-8")
        self._env = {**os.environ, "OPENSSL_CONF": str(self._limit_tls(tls_version))} if tls_version else None

    def _limit_tls(self, version):
        """OpenSSL's configuration: Mosquitto's own tls_version is the lowest it speaks, and no highest one."""
        file = self._folder / f"openssl-{self.port}.cnf"
        file.write_text(f"openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n"
                        f"[limits]\nMinProtocol = {version}\nMaxProtocol = {version}\n", encoding="ascii")
        return file

    def _text(self, options, client_certificates, acl):
        lines = ["user root", "persistence false", "log_dest stderr", "set_tcp_nodelay true",
                 # The default drops messages for a subscriber that a fast publisher overruns.
                 "max_queued_messages 0"]
        settings = dict(options)
        listener = {key: settings.pop(key) for key in ("max_qos",) if key in settings}
        lines += [f"{key} {value}" for key, value in settings.items()]
        if acl is not None:
            acl_file = self._folder / f"acl-{self.port}"
            acl_file.write_text(acl, encoding="utf-8")
            acl_file.chmod(0o600)
            lines.append(f"acl_file {acl_file}")
        if self._passwords:
            password_file = self._folder / f"passwords-{self.port}"
            password_file.touch(0o600)
            for name, word in self._passwords.items():
                subprocess.run(["mosquitto_passwd", "-b", str(password_file), name, word], check=True)
            lines.append(f"password_file {password_file}")
        lines.append(f"allow_anonymous {'false' if self._passwords else 'true'}")
        lines.append(f"listener {self.port} {self.host}")
        lines += [f"{key} {value}" for key, value in listener.items()]
        if self.tls:
            lines += self._tls_lines(self.tls)
            if client_certificates:
                lines.append("require_certificate true")
        if self.also_tls:
            lines.append(f"listener {self.tls_url.rpartition(':')[2]} {self.host}")
            lines += [*self._tls_lines(self.also_tls), "require_certificate true", "use_identity_as_username true"]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _tls_lines(server):
        return [f"cafile {server.ca}", f"certfile {server.certificate}", f"keyfile {server.key}"]

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def start(self):
        return self._run(["mosquitto", "-c", str(self._file), *(["-v"] if self._verbose else [])], env=self._env)
