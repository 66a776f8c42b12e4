PATH = "/deep"
