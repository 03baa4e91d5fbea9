"""Double DQN in a corridor (van Hasselt, Guez and Silver, 2016), small enough to read at once."""

from little_dqn.agent import DoubleDQN

__all__ = ["DoubleDQN"]
