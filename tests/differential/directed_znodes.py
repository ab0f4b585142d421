"""Directed sequences: Stat, versions, zxids, creating, deleting, transactions (Z1 to Z24)."""

from registry import at, each, sequence
from steps import Close, Drop, Open, Until
from wire import (CONTAINER, EPHEMERAL, EPHEMERAL_SEQUENTIAL, OPEN_ACL, SEQUENTIAL, SEQUENTIAL_TTL,
                  TTL, add_watch, check, create, create2, create_container, create_ttl, delete,
                  exists,
                  get_acl, get_children, get_children2, get_data, multi, multi_read, ping, raw,
                  set_acl, set_data, sync)

TTL_MAX = (1 << 40) - 1


@sequence("Z3 Z53")
def fresh_tree(_root):
    """First of all: the root and the system's znodes as nobody has touched them."""
    return [Open("a"),
            at("a", exists("/"), get_children2("/zookeeper"), exists("/zookeeper/quota"),
               get_data("/zookeeper"), get_data("/zookeeper/quota"),
               get_children("/zookeeper/quota"),
               get_acl("/"), get_acl("/zookeeper"), get_acl("/zookeeper/quota"),
               get_acl("/zookeeper/config"), get_children2("/zookeeper/config"))]


@sequence("Z1")
def versions_of_data_and_acl(root):
    return [Open("a"), Open("b"),
            at("a", create2(f"{root}/n", b"same"), set_data(f"{root}/n", b"same"),
               set_data(f"{root}/n", b"same", 1), get_data(f"{root}/n")),
            at("b", get_data(f"{root}/n", watch=True), get_children(f"{root}/n", watch=True)),
            at("a", set_acl(f"{root}/n", [(31, "world", "anyone")]), exists(f"{root}/n"),
               set_acl(f"{root}/n", [(3, "world", "anyone")], 1), get_acl(f"{root}/n"),
               set_data(f"{root}/n", b"other"), exists(f"{root}/n"))]


@sequence("Z2 Z4 Z5")
def stat_of_a_parent(root):
    look = exists(root)
    return [Open("a"), Open("b"),
            *each("a", look, create(f"{root}/c"), look, set_data(f"{root}/c", b"x"), look,
                  create(f"{root}/d", flags=EPHEMERAL), look, delete(f"{root}/c"), look,
                  create(f"{root}/s", flags=SEQUENTIAL), look, set_data(root, b"own"), look),
            at("b", create(f"{root}/e", flags=EPHEMERAL), look), Close("b"), at("a", look),
            at("a", delete(f"{root}/missing"), look, create(f"{root}/d"), look)]


@sequence("Z5 Z6")
def owners_and_times(root):
    return [Open("a"), Open("b"),
            at("a", create2(f"{root}/p"), create2(f"{root}/e", b"x", flags=EPHEMERAL),
               create2(f"{root}/s", flags=EPHEMERAL_SEQUENTIAL),
               create_container(f"{root}/c", b"y"),
               create_ttl(f"{root}/t", 3_600_000, b"z"),
               create_ttl(f"{root}/t", 3_600_000, flags=SEQUENTIAL_TTL)),
            at("b", exists(f"{root}/p"), exists(f"{root}/e"), get_data(f"{root}/c"),
               get_data(f"{root}/t"), create2(f"{root}/f", flags=EPHEMERAL)),
            at("a", exists(f"{root}/f"), multi(create2(f"{root}/m", flags=EPHEMERAL)),
               exists(f"{root}/m"))]


@sequence("Z7 Z8 Z10")
def zxids(root):
    """What takes one and what does not, seen by what replies tell before and behind it."""
    read = exists(root)
    return [Open("a"), Open("b"),
            *each("a", read, create(f"{root}/a"), read, create(f"{root}/a"), read,
                  delete(f"{root}/none"), read, set_data(f"{root}/a", b"", 7), read, sync(root),
                  read, ping(), read,
                  multi(create(f"{root}/x"), set_data(f"{root}/x", b"1"), delete(f"{root}/x")),
                  read,
                  multi(create(f"{root}/y"), delete(f"{root}/none")), read),
            Open("c"), at("a", read), Close("c"), at("a", read), at("b", read)]


@sequence("Z11 Z12")
def sequence_numbers(root):
    return [Open("a"),
            at("a", create(f"{root}/q"), create(f"{root}/q/a"),
               create(f"{root}/q/s-", flags=SEQUENTIAL), create(f"{root}/q/", flags=SEQUENTIAL),
               delete(f"{root}/q/a"), create(f"{root}/q/s-", flags=EPHEMERAL_SEQUENTIAL),
               create(f"{root}/q/", flags=EPHEMERAL), create(f"{root}/q/", flags=SEQUENTIAL_TTL),
               create(f"{root}/q/a", flags=SEQUENTIAL),
               multi(create(f"{root}/q/m", flags=SEQUENTIAL),
                     create(f"{root}/q/m", flags=SEQUENTIAL)),
               multi(create(f"{root}/q/m", flags=SEQUENTIAL), check(f"{root}/none", 0)),
               create(f"{root}/q/n", flags=SEQUENTIAL), get_children2(f"{root}/q"))]


@sequence("Z13")
def what_a_create_checks_first(root):
    closed = [(31, "digest", "nobody:x")]
    return [Open("a"),
            at("a", create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/p"),
               create(f"{root}/closed", acl=closed)),
            at("a",
               create(f"{root}/p/x", flags=99), create("nope", acl=[]),
               create(f"{root}/\0x", acl=[]),
               create(f"{root}/none/x", acl=[]), create(f"{root}/none/./x"),
               create(f"{root}/closed/x"), create(f"{root}/closed/./x"), create(f"{root}/p/./x"),
               create(f"{root}/p"), create(f"{root}/e/x"), create(f"{root}/e", flags=EPHEMERAL)),
            at("a", create(f"{root}/e/x", flags=SEQUENTIAL), create(f"{root}/e/", flags=SEQUENTIAL),
               create(f"{root}/p/"), create("/"), create(""), create("", flags=SEQUENTIAL),
               create(f"{root}/p", acl=None), create2(f"{root}/p", acl=[]), exists(root))]


@sequence("Z14")
def znodes_that_stay(_root):
    return [Open("a"),
            at("a", create("/"), create("/", flags=EPHEMERAL), delete("/"), delete("/", 5),
               delete("/zookeeper"), delete("/zookeeper/quota"), delete("/zookeeper/config"),
               multi(delete("/")), multi(delete("/zookeeper/quota"))),
            at("a", exists("/zookeeper/quota"), exists("/zookeeper"))]


@sequence("Z15")
def flags_and_ttls(root):
    return [Open("a"),
            at("a", create(f"{root}/a", flags=7), create(f"{root}/a", flags=-1),
               create2(f"{root}/a", flags=100), create_container(f"{root}/a", flags=0),
               create_container(f"{root}/b", flags=CONTAINER), create(f"{root}/c", flags=CONTAINER),
               create(f"{root}/d", flags=TTL)),
            at("a", create_ttl(f"{root}/e", 0), create_ttl(f"{root}/e", -1),
               create_ttl(f"{root}/e", TTL_MAX), create_ttl(f"{root}/f", TTL_MAX + 1),
               create_ttl(f"{root}/g", 5_000_000, flags=0),
               create_ttl(f"{root}/h", 0, flags=EPHEMERAL),
               exists(root)),
            at("a", multi(create(f"{root}/m", flags=9)),
               multi(create_ttl(f"{root}/m", 3_600_000), create_container(f"{root}/n")),
               multi(create_ttl(f"{root}/o", 0)), get_children2(root))]


@sequence("Z16")
def parents_and_ephemerals(root):
    return [Open("a"),
            at("a", create(f"{root}/a/b"), create(f"{root}/e", flags=EPHEMERAL),
               create(f"{root}/e/x"), create(f"{root}/e/x/y"),
               multi(create(f"{root}/f", flags=EPHEMERAL), create(f"{root}/f/x"))),
            Close("a"), Open("b"), at("b", get_children2(root))]


@sequence("Z17")
def containers_that_are_collected(root):
    """Only those that had a child; others stay. A TTL is renewed by data, not by children."""
    return [Open("a"), Open("b"),
            at("a", create_container(f"{root}/used"), create_container(f"{root}/unused"),
               create(f"{root}/used/x")),
            at("b", exists(f"{root}/used", watch=True), get_children(root, watch=True)),
            at("a", delete(f"{root}/used/x")), Until("a", exists(f"{root}/used"), -101, 20),
            at("a", exists(f"{root}/unused"), get_children(root))]


@sequence("Z17")
def ttls_that_pass(root):
    return [Open("a"), Open("b"),
            at("a", create_ttl(f"{root}/short", 300), create_ttl(f"{root}/long", 3_600_000),
               create_ttl(f"{root}/parent", 300), create(f"{root}/parent/x")),
            at("b", get_data(f"{root}/long", watch=True)),
            Until("a", exists(f"{root}/short"), -101, 20),
            at("a", exists(f"{root}/long"), exists(f"{root}/parent"), delete(f"{root}/parent/x")),
            Until("a", exists(f"{root}/parent"), -101, 20), at("a", get_children(root))]


@sequence("Z18 Z20")
def what_a_delete_checks_first(root):
    closed = [(1, "world", "anyone")]
    return [Open("a"),
            at("a", create(f"{root}/p"), create(f"{root}/p/c"), create(f"{root}/closed"),
               create(f"{root}/closed/c"), set_acl(f"{root}/closed", closed)),
            at("a", delete(f"{root}/none/c"), delete(f"{root}/none"), delete(f"{root}/closed/none"),
               delete(f"{root}/closed/c", 9), delete(f"{root}/p", 3), delete(f"{root}/p"),
               delete(f"{root}/p/c", 1), delete(f"{root}/p/c", 0), delete(f"{root}/p", 0)),
            at("a", delete("nope"), delete(""), delete(f"{root}/p/"), delete(f"{root}//p"),
               delete(f"{root}/\0"), delete(f"{root}/closed"), get_children2(root))]


@sequence("Z19 Z20")
def what_a_change_checks_first(root):
    read_only = [(1, "world", "anyone")]
    no_admin = [(15, "world", "anyone")]
    return [Open("a"),
            at("a", create(f"{root}/n", b"0"), create(f"{root}/r", acl=read_only),
               create(f"{root}/w", acl=no_admin)),
            at("a", set_data(f"{root}/none", b"", 5), set_data(f"{root}/./n", b""),
               set_data("nope", b""), set_data(f"{root}/r", b"", 5), set_data(f"{root}/n", b"1", 3),
               set_data(f"{root}/n", b"1", 0), set_data(f"{root}/n", b"2", -1),
               set_data(f"{root}/n", b"3", -2), get_data(f"{root}/n")),
            at("a", set_acl(f"{root}/none", OPEN_ACL), set_acl(f"{root}/none", []),
               set_acl("nope", []), set_acl(f"{root}/w", []), set_acl(f"{root}/w", OPEN_ACL, 9),
               set_acl(f"{root}/n", OPEN_ACL, 2), set_acl(f"{root}/n", OPEN_ACL, 0),
               set_acl(f"{root}/n", OPEN_ACL, 0), set_acl(f"{root}/n", OPEN_ACL, -1),
               get_acl(f"{root}/n"), set_data(f"{root}/n", b"4", 2))]


@sequence("Z20")
def checks_of_versions(root):
    return [Open("a"),
            at("a", create(f"{root}/n"), set_data(f"{root}/n", b"1"),
               set_acl(f"{root}/n", OPEN_ACL), create(f"{root}/hidden", acl=[(2, "world",
                                                                              "anyone")])),
            at("a", multi(check(f"{root}/n", 1)), multi(check(f"{root}/n", 0)),
               multi(check(f"{root}/n", -1), set_data(f"{root}/n", b"2", 1), check(f"{root}/n", 2)),
               multi(check(f"{root}/none", -1)), multi(check(f"{root}/hidden", 0)),
               multi(check("nope", 0)), multi(check("/", 0)),
               multi(set_data(f"{root}/hidden", b"")))]


@sequence("Z21")
def null_and_empty_data(root):
    return [Open("a"),
            at("a", create(f"{root}/null", None), create(f"{root}/empty", b""),
               get_data(f"{root}/null"), get_data(f"{root}/empty"), set_data(f"{root}/empty", None),
               get_data(f"{root}/empty"), set_data(f"{root}/null", b""), get_data(f"{root}/null"),
               multi(create(f"{root}/m", None), set_data(f"{root}/null", None)),
               multi_read(get_data(f"{root}/m"), get_data(f"{root}/null"))),
            at("a", create(f"{root}/big", b"x" * 1_000_000), exists(f"{root}/big"),
               get_data(f"{root}/big"), set_data(f"{root}/big", bytes(range(256))),
               get_data(f"{root}/big"))]


@sequence("Z22")
def transactions_that_fail(root):
    return [Open("a"), Open("b"), at("a", create(f"{root}/n"), create(f"{root}/n/c")),
            at("b", get_data(f"{root}/n", watch=True), get_children(root, watch=True),
               exists(f"{root}/x", watch=True)),
            at("a",
               multi(create(f"{root}/x"), set_data(f"{root}/n", b"1"), check(f"{root}/n", 9),
                     delete(f"{root}/x"), delete(f"{root}/none")),
               multi(delete(f"{root}/n"), create(f"{root}/y")),
               multi(create(f"{root}/n")), multi(create(f"{root}/n"), create(f"{root}/n")),
               multi(set_data(f"{root}/n", b"1", 0), create(f"{root}/none/x", flags=SEQUENTIAL)),
               multi(create2(f"{root}/z"), create_ttl(f"{root}/z", 99), delete("/")),
               exists(f"{root}/n"), get_children2(root)),
            at("a", create(f"{root}/s", flags=SEQUENTIAL))]


@sequence("Z23")
def results_of_transactions(root):
    return [Open("a"),
            at("a",
               multi(create(f"{root}/a", b"1"), create2(f"{root}/b", b"2"),
                     create_container(f"{root}/c"), create_ttl(f"{root}/d", 3_600_000),
                     set_data(f"{root}/a", b"3"), check(f"{root}/a", 1), delete(f"{root}/b"),
                     create(f"{root}/e", flags=EPHEMERAL_SEQUENTIAL)),
               multi(), multi_read(), get_children2(root)),
            at("a", multi(get_data(f"{root}/a")), multi(set_data(f"{root}/a", b""), sync(root)),
               multi(set_acl(f"{root}/a", OPEN_ACL)), multi(exists(f"{root}/a")),
               exists(f"{root}/a"), get_children(root)),
            at("a",
               multi_read(get_data(f"{root}/a"), get_data(f"{root}/none"), get_children(root),
                          get_children(f"{root}/none"), get_data("nope"), get_data(f"{root}/a")),
               multi_read(get_children2(root)), multi_read(exists(root)), get_children(root))]


@sequence("Z24 Z25")
def transactions_that_see_themselves(root):
    return [Open("a"), Open("b"), at("a", add_watch(root, 1)), at("b", add_watch(root, 0)),
            at("a",
               multi(create(f"{root}/a"), create(f"{root}/a/b"), set_data(f"{root}/a/b", b"x"),
                     check(f"{root}/a/b", 1), delete(f"{root}/a/b"), delete(f"{root}/a"),
                     create(f"{root}/a", flags=EPHEMERAL)),
               multi(create(f"{root}/s", flags=SEQUENTIAL), create(f"{root}/s", flags=SEQUENTIAL),
                     set_data(root, b"1", 0), set_data(root, b"2", 1)),
               get_children2(root)),
            Drop("b"), Open("c", resume="b"), at("a", set_data(root, b"3"))]


@sequence("Z24 Z47")
def transactions_with_unknown_parts(root):
    """An error, and the connection goes on."""
    known = create(f"{root}/k")
    return [Open("a"),
            at("a", multi(known, raw(77, b"", "unknown")), exists(f"{root}/k"),
               multi(raw(77, b"abc", "unknown")), multi(raw(20, b"", "deleteContainer")),
               exists(root))]
