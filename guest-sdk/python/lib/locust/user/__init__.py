from .markov_taskset import MarkovTaskSet as MarkovTaskSet
from .task import TaskSet as TaskSet
from .task import tag as tag
from .task import task as task
from .users import HttpUser as HttpUser
from .users import User as User
