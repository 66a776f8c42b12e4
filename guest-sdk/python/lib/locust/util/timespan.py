"""Lengths of time as people write them."""

import re


def parse_timespan(time_str):
    """Seconds of `30`, `30s`, `5m`, `1h30m`."""
    if not time_str:
        raise ValueError(
            "Invalid time span format. Valid formats: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc."
        )
    if time_str.isdigit():
        return int(time_str)
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", time_str)
    if not found or not any(found.groups()):
        raise ValueError(
            "Invalid time span format. Valid formats: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc."
        )
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
