from adapter import DoubleDQNAdapter

from verification import conformance_suite

TestCheckpoints = conformance_suite(DoubleDQNAdapter(), level="resume")
