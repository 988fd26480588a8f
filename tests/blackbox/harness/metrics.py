"""/metrics, parsed: every family with its HELP, TYPE and series."""
import re

SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.text = text
        self.help, self.type, self.series = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name, words = line[7:].split(" ", 1)
                assert name not in self.help, f"{name}: two HELP lines"
                self.help[name] = words
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                self.type[name] = kind
            elif line:
                self._add(line)

    def _add(self, line):
        name, labels, value = SERIES.fullmatch(line).groups()
        labels = frozenset(LABEL.findall(labels or ""))
        assert (name, labels) not in self.series, f"twice: {line}"
        self.series[name, labels] = float(value)

    def __call__(self, name, **labels):
        """The value of exactly this series."""
        return self.series[name, frozenset(labels.items())]

    def of(self, name, **labels):
        """All series of this name with these labels: {the other labels: value}."""
        wanted = set(labels.items())
        return {have - wanted: value for (series, have), value in self.series.items()
                if series == name and wanted <= have}

    def sum(self, name, **labels):
        return sum(self.of(name, **labels).values())

    def results(self, broker):
        """{result: count} of one broker, or of requests that reached none (""), without zeros."""
        return {dict(have)["result"]: value
                for have, value in self.of("sluice_requests_total", broker=broker).items() if value}


def scrape(sluice):
    status, text = sluice.http("/metrics")
    assert status == 200, (status, text)
    return Metrics(text)
