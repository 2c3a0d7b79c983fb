"""Do skae's estimators reach what the well-known tutorials reach?

Every row is a tutorial's job. Long ones stop before their last epoch, at a quarter of
it or later; then plain Keras, with the tutorial's own code, stops there, too. The
rivals that remove noise have a strength to be chosen: each gets the best one of a list,
tried on training images that were held out.
"""

from tutorials import JOBS

if __name__ == "__main__":
    JOBS.main(__doc__)
