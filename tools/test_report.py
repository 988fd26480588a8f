#!/usr/bin/env python3
"""Answers tools/test's questions about what Meson built and what the test programs reported.

Usage: test_report.py programs BUILD_DIR   one test per line: its name, a tab, the command's words with tabs between
       test_report.py fuzzers BUILD_DIR    one fuzzer per line: its path
       test_report.py junit FILE           "PASSED FAILED SKIPPED", then a line or more for each case that failed, and
                                           "skipped REASON" once for each reason
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree


def introspect(what, build_dir):
    return json.loads(subprocess.run(["meson", "introspect", what, build_dir], check=True, capture_output=True).stdout)


def print_programs(build_dir):
    for test in introspect("--tests", build_dir):
        print("\t".join([test["name"], *test["cmd"]]))


def print_fuzzers(build_dir):
    for target in introspect("--targets", build_dir):
        if target["type"] == "executable" and "/tests/fuzz/" in target["defined_in"].replace(os.sep, "/"):
            print(target["filename"][0])


def print_junit(file):
    passed, failed, skipped, failures, reasons = 0, 0, 0, [], []
    for case in xml.etree.ElementTree.parse(file).iter("testcase"):
        faults = case.findall("failure") + case.findall("error")
        if faults:
            failed += 1
            text = "\n".join((fault.text or fault.get("message") or "").strip() for fault in faults)
            failures.append("\n      ".join([case.get("name", "?"), *text.splitlines()[-12:]]))
        elif case.find("skipped") is not None:
            skipped += 1
            reason = case.find("skipped").get("message") or "for no reason"
            if reason not in reasons:
                reasons.append(reason)
        else:
            passed += 1
    print(passed, failed, skipped)
    for failure in failures:
        print(failure)
    for reason in reasons:
        print("skipped", reason)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("programs", "fuzzers", "junit"):
        sys.exit(__doc__)
    {"programs": print_programs, "fuzzers": print_fuzzers, "junit": print_junit}[sys.argv[1]](sys.argv[2])
