"""What test programs and checks report: counts, what failed, how long each case took."""
import re
import xml.etree.ElementTree

from .model import Case, Failure, Result, failed

TELLING = re.compile(r"(error|warning|Error|ERROR):|^FAILED|^  VIOLATION")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
SHOWN = 30  # lines of a check's log
SHOWN_OF_CASE = 12


def count_check(name, ended, log):
    """A command that counts one."""
    if ended.status == 0 and not ended.is_late:
        return Result(passed=1)
    return failed(name, excerpt(log))


def count_junit(name, ended, xml, log):
    """The cases of a test program. Its own bad end counts as one failure more, and so does a report without a test."""
    try:
        result = read_junit(name, xml)
    except (OSError, xml_error) as error:
        return failed(f"{name}: no report ({type(error).__name__}), {how(ended)}", tail(log))
    if ended.is_late or (ended.status != 0 and not result.failures):
        result.add(failed(f"{name}: {how(ended)}", tail(log)))
    elif result.passed + len(result.failures) == 0:
        result.add(failed(f"{name}: no test was run", "\n".join(result.reasons) or tail(log)))
    return result


xml_error = xml.etree.ElementTree.ParseError


def read_junit(name, file):
    result = Result()
    for case in xml.etree.ElementTree.parse(file).iter("testcase"):
        title = f"{name}: {case.get('name', '?')}"
        result.cases.append(Case(title, float(case.get("time") or 0)))
        faults = case.findall("failure") + case.findall("error")
        if faults:
            text = "\n".join((fault.text or fault.get("message") or "").strip() for fault in faults)
            result.failures.append(Failure(title, last_lines(text, SHOWN_OF_CASE)))
        elif case.find("skipped") is not None:
            reason = case.find("skipped").get("message") or "for no reason"
            result.add(Result(skipped=1, reasons=[reason]))
        else:
            result.passed += 1
    return result


def how(ended):
    return "did not end in time" if ended.is_late else f"ended with status {ended.status}"


def excerpt(log):
    """The lines that say what is wrong where there are any, else the end."""
    lines = [line for line in text_of(log).splitlines() if TELLING.search(line)]
    return "\n".join(lines[:SHOWN]) or tail(log)


def tail(log):
    return last_lines(text_of(log), SHOWN)


def last_lines(text, number):
    return "\n".join(text.splitlines()[-number:])


def text_of(log):
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            return COLORS.sub("", file.read())
    except OSError:
        return ""
