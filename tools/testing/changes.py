"""Which files have changed, by what git says."""
import subprocess

from .builds import ROOT

MAIN = ("origin/main", "main")


class NoGit(Exception):
    """This is no checkout of git, or one that git refuses."""


def git(*arguments, root=ROOT):
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoGit(f"git: {error.strerror}") from error
    if done.returncode != 0:
        raise NoGit(done.stderr.strip() or f"git {arguments[0]} failed")
    return [line for line in done.stdout.split("\0") if line]


def changed_files(root=ROOT):
    """What differs from the common ancestor with the main branch, committed or not; if nothing does, what the last
    commit changed. Returns the revision compared with, and the files, deleted ones too."""
    revision = ancestor(root)
    files = difference(revision, root)
    if not files:
        revision = "HEAD~1"
        files = difference(revision, root)
    return revision, files


def ancestor(root):
    for branch in MAIN:
        try:
            return "".join(git("merge-base", branch, "HEAD", root=root)).strip()
        except NoGit:
            continue
    return "HEAD"


def difference(revision, root):
    """Between a revision and the files as they are, with new ones that are not ignored."""
    return sorted({*git("diff", "--name-only", "--no-renames", "-z", revision, root=root),
                   *git("ls-files", "--others", "--exclude-standard", "-z", root=root)})
