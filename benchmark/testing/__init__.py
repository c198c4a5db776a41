"""What every method must keep, as checks that anybody can run on a class of their own.

In a test file of the package that brings the method::

    from benchmark.testing import parametrize_with_checks

    @parametrize_with_checks([MyMethod])
    def test_keeps_the_contract(check):
        check()

or anywhere, without pytest: ``check_method(MyMethod)``.
"""

from benchmark.testing.case import Case, Declined
from benchmark.testing.runner import CHECKS, Check, check_method, parametrize_with_checks

__all__ = ["CHECKS", "Case", "Check", "Declined", "check_method", "parametrize_with_checks"]
