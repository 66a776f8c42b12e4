PATH = "/helpers"


def paths():
    return ["/helped/1", "/helped/2"]
