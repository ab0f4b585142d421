"""The directed sequences: functions of a root that return steps, each named and with the rules that
it shows."""

from steps import Send, Sequence

_FUNCTIONS = []  # (name, rules, function), in the order in which they are played


def sequence(rules):
    """Makes a function of a root one of the directed sequences."""
    def register(function):
        _FUNCTIONS.append((function.__name__, rules, function))
        return function
    return register


def names():
    return [name for name, _, _ in _FUNCTIONS]


def directed(name, root):
    rules, function = next((rules, function) for known, rules, function in _FUNCTIONS
                           if known == name)
    return Sequence(name, rules, root, tuple(function(root)))


def at(connection, *requests):
    """All of them in one piece."""
    return Send(connection, requests)


def each(connection, *requests):
    """One after the other's answer."""
    return [Send(connection, (request,)) for request in requests]
