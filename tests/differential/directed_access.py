"""Directed sequences: paths, ACLs, who a client is, sync, quotas, reconfig (Z48 to Z55)."""

from registry import at, each, sequence
from steps import Close, Drop, Open, SendUntilClosed
from wire import (EPHEMERAL, OPEN_ACL, SEQUENTIAL, auth, check, create, create2, delete, exists,
                  get_acl, get_all_children_number, get_children, get_children2, get_data,
                  get_ephemerals, multi, multi_read, reconfig, set_acl, set_data, set_watches,
                  sync, who_am_i)

ALICE, BOB = "alice:a", "bob:b"
ALICE_ID = "alice:AIueg8ag5ALfqeEyKdLnva1Wvi0="
BOB_ID = "bob:LcrmCNs/wfVD+i5a5yaz89GyjIM="
READ, WRITE, CREATE, DELETE, ADMIN, ALL = 1, 2, 4, 8, 16, 31


@sequence("Z48")
def paths_that_writes_refuse(root):
    bad = ["x", "x/y", "/", "//", f"{root}/", f"{root}//x", f"{root}/.", f"{root}/..",
           f"{root}/./x", f"{root}/../x", f"{root}/x/..", f"{root}/\x00", f"{root}/\x01",
           f"{root}/\x1f", f"{root}/\x7f", f"{root}/\x9f", f"{root}/\ud800", f"{root}/\uf8ff",
           f"{root}/\ufff0", f"{root}/\uffff", f"{root}/\U0001f600"]
    good = [f"{root}/...", f"{root}/.x", f"{root}/ ", f"{root}/\u00a0", f"{root}/\u4e2d",
            f"{root}/\uf900", f"{root}/\uffef", f"{root}/a b", f"{root}/%00"]
    coded = [path.encode(errors="surrogatepass") for path in bad]
    return [Open("a"), at("a", create("")),
            *(at("a", create(path), exists(path)) for path in coded),
            *(at("a", create(path), exists(path)) for path in good), at("a", get_children(root)),
            *(at("a", set_data(path, b""), delete(path)) for path in coded if path != b"/"),
            at("a", delete(f"/{root}"), exists(root))]


@sequence("Z48")
def paths_that_reads_do_not_find(root):
    bad = ["x", "//", f"{root}/", f"{root}//", f"{root}/.", f"{root}/..", f"{root}/\x00"]
    reads = [exists, get_data, get_children, get_children2, get_acl, get_all_children_number]
    return [Open("a"), *(at("a", *(read(path) for path in bad)) for read in reads),
            at("a", sync("x"), sync(""), sync(f"{root}/none"), get_ephemerals("x"),
               multi(check("x", 0)))]


@sequence("Z49")
def lists_that_are_refused(root):
    lists = [None, [], [(ALL, "nobody", "x")], [(ALL, "world", "someone")], [(ALL, "", "")],
             [(ALL, "ip", "not an address")], [(ALL, "ip", "10.0.0.0/33")],
             [(ALL, "ip", "10.0.0.1")], [(ALL, "ip", "10.0.0.0/8")], [(ALL, "digest", "x")],
             [(ALL, "digest", "x:y")], [(ALL, "digest", "x:y:z")], [(ALL, "auth", "")],
             [(0, "world", "anyone")], [(64, "world", "anyone")], [(ALL, "super", "x")],
             [(ALL, "x509", "CN=x")], [(READ, "world", "anyone"), (ALL, "nobody", "x")],
             [(ALL, "world", "anyone"), (ALL, "world", "anyone"), (READ, "world", "anyone")]]
    steps = [Open("a"), at("a", create(f"{root}/n"))]
    for number, acl in enumerate(lists):
        path = f"{root}/{number}"
        steps.append(at("a", create(path, acl=acl), get_acl(path)))
        steps += each("a", set_acl(f"{root}/n", acl), get_acl(f"{root}/n"), delete(f"{root}/n"),
                      create(f"{root}/n"))
    return steps + [at("a", multi(create(f"{root}/m", acl=[])),
                       multi(create(f"{root}/m", acl=[(ALL, "auth", "")])), get_acl(root))]


@sequence("Z49 Z51")
def lists_of_who_asks(root):
    mine = [(ALL, "auth", "")]
    return [Open("a"),
            at("a", create(f"{root}/none", acl=mine), auth("digest", ALICE)),
            at("a", create(f"{root}/one", acl=mine), get_acl(f"{root}/one")),
            at("a", auth("digest", BOB), auth("digest", ALICE)),
            at("a", create2(f"{root}/two", acl=mine + [(READ, "world", "anyone")]),
               get_acl(f"{root}/two"), create(f"{root}/two/x"), get_acl(f"{root}/two/x"),
               set_acl(f"{root}/two/x", [(READ, "auth", "ignored")]), get_acl(f"{root}/two/x"),
               multi(create(f"{root}/m", acl=mine)), get_acl(f"{root}/m"))]


@sequence("Z49")
def lists_are_not_inherited(root):
    closed = [(CREATE | READ, "world", "anyone")]
    return [Open("a"),
            at("a", create(f"{root}/p", acl=closed), create(f"{root}/p/c"), get_acl(f"{root}/p/c"),
               set_data(f"{root}/p/c", b"1"), set_data(f"{root}/p", b"1"), delete(f"{root}/p/c"),
               create(f"{root}/p/c/d"), delete(f"{root}/p/c/d"))]


@sequence("Z50 Z51")
def who_may_do_what(root):
    """Each permission alone, for the one who has it and for another."""
    steps = [Open("a"), Open("b"), at("a", auth("digest", ALICE)), at("b", auth("digest", BOB))]
    for bit in (READ, WRITE, CREATE, DELETE, ADMIN):
        path = f"{root}/{bit}"
        tries = [get_data(path), exists(path), get_children(path), get_children2(path),
                 get_acl(path),
                 set_data(path, b"1"), create(f"{path}/new"), delete(f"{path}/old"),
                 get_all_children_number(path), sync(path), multi(check(path, -1)),
                 multi(set_data(path, b"2")), multi(create(f"{path}/newer"),
                                                    delete(f"{path}/older")),
                 multi_read(get_data(path), get_children(path)),
                 set_acl(path, [(bit, "digest", ALICE_ID), (READ, "digest", BOB_ID)])]
        steps += [at("a", create(path), create(f"{path}/old"), create(f"{path}/older"),
                     set_acl(path, [(bit, "digest", ALICE_ID)])), at("b", *tries), at("a", *tries)]
    return steps


@sequence("Z50")
def lists_that_are_masked(root):
    return [Open("a"), Open("b"), at("a", auth("digest", ALICE)),
            at("a", create(f"{root}/r", acl=[(ALL, "digest", ALICE_ID), (READ, "world", "anyone")]),
               create(f"{root}/a", acl=[(ALL, "digest", ALICE_ID), (ADMIN, "world", "anyone")]),
               create(f"{root}/n", acl=[(ALL, "digest", ALICE_ID)]),
               create(f"{root}/i", acl=[(READ, "ip", "127.0.0.1"), (ALL, "digest", ALICE_ID)])),
            *(at(who, *(get_acl(f"{root}/{name}") for name in "rani")) for who in "ab")]


@sequence("Z50")
def addresses(root):
    """Both servers are spoken to over 127.0.0.1."""
    ids = ["127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "127.0.0.2", "10.0.0.0/8", "0.0.0.0/0"]
    paths = [(f"{root}/{number}", [(READ | ADMIN, "ip", id_)]) for number, id_ in enumerate(ids)]
    return [Open("a"), *(at("a", create(path, b"x", acl), get_data(path), set_data(path, b"y"),
                            get_acl(path)) for path, acl in paths)]


@sequence("Z50")
def the_superuser(root):
    closed = [(READ, "digest", BOB_ID)]
    return [Open("a"), Open("s"), at("s", auth("digest", "super:secret")),
            at("a", create(f"{root}/n", b"0", closed), get_data(f"{root}/n"), set_acl(f"{root}/n",
                                                                                      closed)),
            at("s", get_data(f"{root}/n"), set_data(f"{root}/n", b"1"), get_acl(f"{root}/n"),
               create(f"{root}/n/x"), set_acl(f"{root}/n", OPEN_ACL)),
            at("a", auth("digest", "super:wrong"), get_data(f"{root}/n"), create(f"{root}/n/y")),
            at("s", create(f"{root}/mine", acl=[(ALL, "auth", "")]), get_acl(f"{root}/mine"))]


@sequence("Z51")
def who_a_client_is(root):
    mine = [(ALL, "auth", "")]
    return [Open("a"), *each("a", who_am_i(), auth("digest", ALICE), who_am_i(), auth("digest",
                                                                                      BOB),
                             who_am_i(), auth("digest", ALICE), who_am_i()),
            at("a", create(f"{root}/n", acl=mine)), Drop("a"), Open("b", resume="a"),
            *each("b", who_am_i(), get_data(f"{root}/n"), set_data(f"{root}/n", b""),
                  auth("digest", ALICE), get_data(f"{root}/n")),
            *each("b", auth("ip", "10.0.0.1"), who_am_i(), auth("digest", "no colon"), who_am_i(),
                  auth("digest", ""), who_am_i())]


@sequence("Z51")
def schemes_that_are_not(_root):
    return [Open("a"), SendUntilClosed("a", (auth("nonsense", "x"),)),
            Open("b"), SendUntilClosed("b", (auth("", ""),)),
            Open("c"), SendUntilClosed("c", (auth("world", "anyone"),)),
            Open("d"), SendUntilClosed("d", (auth("auth", "x"),))]


@sequence("Z52")
def syncs(root):
    return [Open("a"), Open("b"), at("a", create(f"{root}/n"), sync(f"{root}/n"),
                                     exists(f"{root}/n")),
            at("b", sync(root), get_children(root), sync(f"{root}/none"), sync("/"))]


@sequence("Z53")
def configuration(_root):
    return [Open("a"),
            at("a", get_acl("/zookeeper/config"), exists("/zookeeper/config"),
               set_data("/zookeeper/config", b"x"), create("/zookeeper/config/x"),
               set_acl("/zookeeper/config", OPEN_ACL)),
            at("a", get_data("/zookeeper/config"))]


@sequence("Z54")
def quotas(root):
    """Counts and bytes, soft and hard, of creates, changes and transactions. One request at a time:
    ZooKeeper compares with what was used before all that are under way."""
    quota = f"/zookeeper/quota{root}"
    limits, stats = f"{quota}/zookeeper_limits", f"{quota}/zookeeper_stats"
    look = (get_data(stats), get_data(limits))
    hard = b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=4"
    return [Open("a"), at("a", create(f"{root}/old", b"12345")),
            *each("a", create(quota), create(limits, hard), create(stats, b"count=0,bytes=0"),
                  *look,
                  create(f"{root}/a", b"123456"), *look, create(f"{root}/b", b"12345678901"),
                  create(f"{root}/b"), *look, create(f"{root}/c"), set_data(f"{root}/a", b"1" * 20),
                  set_data(f"{root}/a", b"1" * 20, 7), set_data(f"{root}/a", b"1" * 10), *look),
            *each("a", multi(create(f"{root}/m")), multi(delete(f"{root}/b"), create(f"{root}/m")),
                  *look, multi(set_data(f"{root}/a", b""), set_data(f"{root}/old", b"1" * 30)),
                  *look,
                  create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/s", flags=SEQUENTIAL),
                  delete(f"{root}/a"), *look),
            *each("a", set_data(limits, b"count=1,bytes=1=;byteHardLimit=-1;countHardLimit=-1"),
                  create(f"{root}/x", b"123456789"), create(f"{root}/y"), *look, exists(stats)),
            *each("a", delete(limits), delete(stats), delete(quota), create(f"{root}/z"),
                  get_all_children_number(root))]


@sequence("Z55")
def reconfigurations(root):
    return [Open("a"), at("a", reconfig("server.9=127.0.0.1:1:2:participant;3", None, None, -1)),
            at("a", auth("digest", "super:secret")),
            at("a", reconfig("server.9=127.0.0.1:1:2:participant;3", None, None, -1),
               reconfig(None, "9", None, -1), reconfig(None, None, None, 5), exists(root))]


@sequence("Z33 Z47")
def counts_and_ephemerals(root):
    """getAllChildrenNumber and getEphemerals, and setWatches with nothing in its lists."""
    return [Open("a"), Open("b"),
            at("a", create(f"{root}/p"), create(f"{root}/p/q"), create(f"{root}/p/q/r"),
               create(f"{root}/pp"), create(f"{root}/p/e", flags=EPHEMERAL),
               create(f"{root}/pe", flags=EPHEMERAL)),
            at("b", create(f"{root}/f", flags=EPHEMERAL)),
            at("a", *(get_all_children_number(path) for path in
                      (root, f"{root}/p", f"{root}/p/q", f"{root}/none")),
               *(get_ephemerals(path) for path in ("/", root, f"{root}/p", f"{root}/p/e", "x"))),
            at("a", set_watches(0)), at("a", set_watches(0, persistent=[], recursive=[])),
            at("a", exists(root)), Close("a"), at("b", get_all_children_number(root))]
