"""Counted checks: every one prints a line when it fails, all are summed up at the end."""
import contextlib
import traceback


class Checks:
    def __init__(self):
        self.passed = self.failed = 0
        self._section = ""

    def that(self, what, condition, detail=""):
        """One check; `detail` is printed when it fails."""
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self._section}: {what}" + (f": {detail}" if detail != "" else ""), flush=True)

    def equal(self, what, found, expected):
        self.that(what, found == expected, f"{found!r}, expected {expected!r}")

    @contextlib.contextmanager
    def section(self, name):
        """Names the checks inside; an exception is a failed check, and the next section goes on."""
        before, self._section = (self.passed, self.failed), name
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.that("no exception", False, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})")
        passed, failed = self.passed - before[0], self.failed - before[1]
        print(f"{'ok  ' if not failed else 'FAIL'} {name}: {passed} passed" + (f", {failed} failed" if failed else ""), flush=True)
