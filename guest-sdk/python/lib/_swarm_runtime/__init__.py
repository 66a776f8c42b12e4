"""Between the host and the `locust` package: what a script needs not know of.

- `prepare`: what is done once, before the snapshot.
- `script`: loads the author's file; `plan` says what it consists of; `packages` explains imports
  that fail.
- `life`: users and the test, from their beginning to their end.
- `switch`: waiting, and functions that run side by side. `locks`, `threads`: the standard
  library's on top of that.
- `http`: requests' transport over the host's client.
- `clock`, `rand`, `output`, `system`: the standard library's modules where they are another thing
  here.
- `trace`: exceptions as their author reads them.
"""
