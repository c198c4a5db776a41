"""What a training costs in the harness's own loop: beside a bare loop, the authors' step, and other ways to train."""
