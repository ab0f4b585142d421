"""Directed sequences: watches and their events (Z25 to Z35)."""

from registry import at, each, sequence
from steps import Close, Drop, Mark, Open
from wire import (CONTAINER, EPHEMERAL, add_watch, create, create_container, delete, exists,
                  get_children, get_children2, get_data, multi, remove_watches, set_acl, set_data,
                  set_watches)

PERSISTENT_WATCH, RECURSIVE_WATCH = 0, 1
CHILDREN, DATA, ANY, PERSISTENT_KIND, RECURSIVE_KIND = 1, 2, 3, 4, 5


@sequence("Z25")
def events_before_replies(root):
    """The writer's own, too, however many requests are under way."""
    return [Open("a"), Open("b"), at("a", create(f"{root}/n")),
            at("b", get_data(f"{root}/n", watch=True), get_children(root, watch=True)),
            at("a", get_data(f"{root}/n", watch=True), set_data(f"{root}/n", b"1"),
               get_data(f"{root}/n", watch=True), set_data(f"{root}/n", b"2"),
               get_children(root, watch=True), create(f"{root}/m"), delete(f"{root}/n"),
               get_children(root, watch=True)),
            at("b", get_data(f"{root}/m", watch=True)),
            at("a", set_data(f"{root}/m", b"1"), set_data(f"{root}/m", b"2"))]


@sequence("Z26")
def watches_of_what_is_not_there(root):
    return [Open("a"), Open("b"),
            at("b", exists(f"{root}/e", watch=True), get_data(f"{root}/d", watch=True),
               get_children(f"{root}/c", watch=True), exists("nope", watch=True)),
            *each("a", create(f"{root}/d"), create(f"{root}/c"), create(f"{root}/c/x"),
                  create(f"{root}/e"), set_data(f"{root}/e", b"1"), set_data(f"{root}/d", b"1"))]


@sequence("Z27")
def tables_of_watches(root):
    """Who is told of what, and in which order."""
    look = [exists(f"{root}/n", watch=True), get_data(f"{root}/n", watch=True),
            get_children(f"{root}/n", watch=True), get_children2(root, watch=True)]
    return [Open("a"), Open("b"), Open("c"),
            at("b", *look), at("c", get_children(root, watch=True)),
            at("a", create(f"{root}/n")), at("b", *look), at("a", create(f"{root}/n/x")),
            at("b", *look), at("a", set_data(f"{root}/n/x", b"1")),
            at("a", set_data(f"{root}/n", b"1")), at("b", *look),
            at("a", delete(f"{root}/n/x")), at("b", *look), at("c", get_children(f"{root}/n",
                                                                                 watch=True)),
            at("a", delete(f"{root}/n")), at("b", *look), at("a", create(f"{root}/n",
                                                                         flags=CONTAINER))]


@sequence("Z27 Z41 Z44")
def watches_of_ephemerals(root):
    return [Open("a"), Open("b"), Open("c"),
            at("a", create(f"{root}/e", flags=EPHEMERAL), create(f"{root}/f", flags=EPHEMERAL)),
            at("b", exists(f"{root}/e", watch=True), get_children(root, watch=True)),
            at("c", add_watch(root, RECURSIVE_WATCH)), at("a", get_data(f"{root}/f", watch=True)),
            Close("a"), at("b", get_children(root))]


@sequence("Z28")
def watches_fire_once(root):
    return [Open("a"), Open("b"), at("a", create(f"{root}/n")),
            at("b", get_data(f"{root}/n", watch=True), exists(f"{root}/n", watch=True),
               get_data(f"{root}/n", watch=True), get_children(f"{root}/n", watch=True),
               get_children2(f"{root}/n", watch=True)),
            *each("a", set_data(f"{root}/n", b"1"), set_data(f"{root}/n", b"2"),
                  create(f"{root}/n/x"), create(f"{root}/n/y")),
            at("b", get_data(f"{root}/n", watch=True)), Drop("b"), Open("c", resume="b"),
            at("a", set_data(f"{root}/n", b"3")), at("c", get_data(f"{root}/n"))]


@sequence("Z29")
def persistent_watches(root):
    return [Open("a"), Open("b"), Open("c"), at("b", add_watch(f"{root}/n", PERSISTENT_WATCH)),
            at("c", add_watch(f"{root}/n", RECURSIVE_WATCH)),
            *each("a", create(f"{root}/n"), create(f"{root}/n/x"), create(f"{root}/n/x/y"),
                  set_data(f"{root}/n/x/y", b"1"), set_data(f"{root}/n", b"1"),
                  create_container(f"{root}/n/z"), delete(f"{root}/n/x/y"), delete(f"{root}/n/x"),
                  delete(f"{root}/n/z"), delete(f"{root}/n"), create(f"{root}/n"),
                  create(f"{root}/nn"), set_acl(f"{root}/n", [(31, "world", "anyone")]))]


@sequence("Z28 Z29")
def kinds_of_watches_together(root):
    """A connection is told once per change and table. Each kind has paths of its own: before 3.9 a
    path has one kind per connection."""
    return [Open("a"), Open("b"), at("a", create(f"{root}/n"), create(f"{root}/n/m")),
            at("b", add_watch(f"{root}/n", PERSISTENT_WATCH), add_watch(root, RECURSIVE_WATCH),
               get_data(f"{root}/n/m", watch=True), get_children(f"{root}/n/m", watch=True),
               exists(f"{root}/n/x", watch=True)),
            *each("a", set_data(f"{root}/n", b"1"), create(f"{root}/n/x"), delete(f"{root}/n/x"),
                  set_data(f"{root}/n/m", b"2"), create(f"{root}/n/m/y"), delete(f"{root}/n/m/y"),
                  delete(f"{root}/n/m"), delete(f"{root}/n"))]


@sequence("Z29")
def recursive_watch_on_the_root(root):
    return [Open("a"), Open("b"), at("b", add_watch("/", RECURSIVE_WATCH)),
            *each("a", create(f"{root}/n"), set_data(f"{root}/n", b"1"),
                  multi(create(f"{root}/n/x"), set_data(root, b"1"), delete(f"{root}/n/x")),
                  delete(f"{root}/n")),
            at("b", remove_watches("/", ANY)), at("a", set_data(root, b"2"))]


@sequence("Z30 Z31")
def persistent_watches_set_again(root):
    """What happened meanwhile is not told."""
    return [Open("a"), Open("b"), at("a", create(f"{root}/n"), create(f"{root}/m")),
            at("b", add_watch(f"{root}/n", PERSISTENT_WATCH), add_watch(f"{root}/m",
                                                                        RECURSIVE_WATCH)),
            Mark("seen", "b"), Drop("b"),
            at("a", set_data(f"{root}/n", b"1"), create(f"{root}/n/x"), create(f"{root}/m/x")),
            Open("c", resume="b", last_zxid="seen"),
            at("c", set_watches("seen", persistent=[f"{root}/n", f"{root}/none"],
                                recursive=[f"{root}/m"])),
            *each("a", set_data(f"{root}/n", b"2"), delete(f"{root}/n/x"),
                  set_data(f"{root}/m/x", b"1"), create(f"{root}/none"))]


@sequence("Z31 Z34")
def watches_set_again(root):
    """Each list, with something that happened meanwhile and with nothing."""
    paths = [f"{root}/{name}" for name in ("same", "changed", "gone", "parent", "none")]
    same, changed, gone, parent, none = paths
    return [Open("a"), Open("b"),
            at("a", *(create(path) for path in paths[:-1])), at("b", exists(root)),
            Mark("seen", "b"), Drop("b"),
            at("a", set_data(changed, b"1"), delete(gone), create(f"{parent}/x"),
               create(f"{root}/came")),
            Open("c", resume="b", last_zxid="seen"),
            at("c", set_watches("seen", data=[same, changed, gone, parent, none],
                                exist=[none, f"{root}/came", same],
                                child=[same, changed, gone, parent, none])),
            *each("a", set_data(same, b"1"), set_data(changed, b"2"), create(f"{same}/x"),
                  create(gone), create(none), create(f"{parent}/y"), set_data(parent, b"1"))]


@sequence("Z31")
def watches_set_in_parts(root):
    """As a client does that has many, with requests behind them; and on the same connection."""
    return [Open("a"), at("a", create(f"{root}/n"), create(f"{root}/m")), Mark("seen", "a"),
            at("a", set_watches("seen", data=[f"{root}/n"])),
            at("a", set_watches("seen", data=[f"{root}/m"])),
            at("a", set_watches("seen", child=[f"{root}/n"], exist=[f"{root}/x"])),
            at("a", set_data(f"{root}/n", b"1"), set_data(f"{root}/m", b"1"), create(f"{root}/n/x"),
               create(f"{root}/x"), set_data(f"{root}/x", b"1")),
            at("a", set_watches(0, data=[f"{root}/n"], child=[root])),
            at("a", set_watches(1 << 60, data=[f"{root}/n"], child=[root])),
            at("a", set_data(f"{root}/n", b"2"), create(f"{root}/y"))]


@sequence("Z32")
def events_that_may_not_be_seen(root):
    hidden = [(30, "world", "anyone")]
    return [Open("a"), Open("b"), Open("c"),
            at("a", create(f"{root}/p"), create(f"{root}/n", b"0")),
            at("b", add_watch(root, RECURSIVE_WATCH), get_data(f"{root}/n", watch=True)),
            at("c", add_watch(f"{root}/p", PERSISTENT_WATCH), get_children(f"{root}/p",
                                                                           watch=True)),
            *each("a", create(f"{root}/p/hidden", acl=hidden), set_data(f"{root}/p/hidden", b"1"),
                  set_acl(f"{root}/n", hidden), set_data(f"{root}/n", b"1"),
                  set_acl(f"{root}/p", hidden), create(f"{root}/p/x"), set_data(f"{root}/p", b"1"),
                  delete(f"{root}/p/x"), delete(f"{root}/p/hidden"), delete(f"{root}/p")),
            at("a", delete(f"{root}/n"))]


@sequence("Z33")
def watches_added(root):
    closed = [(2, "world", "anyone")]
    return [Open("a"), at("a", create(f"{root}/closed", acl=closed)),
            at("a", add_watch(f"{root}/none", PERSISTENT_WATCH), add_watch(f"{root}/closed", 0),
               add_watch(f"{root}/n", RECURSIVE_WATCH), add_watch(f"{root}/n", 2),
               add_watch(f"{root}/n", -1), exists(root)),
            at("a", add_watch("nope", 0), add_watch("", 1), add_watch(f"{root}/", 0), exists(root)),
            at("a", create(f"{root}/none"), create(f"{root}/n"), create(f"{root}/n/x"))]


@sequence("Z33")
def watches_removed(root):
    n = f"{root}/n"
    kinds = (CHILDREN, DATA, ANY)
    return [Open("a"), Open("b"), at("b", create(n)),
            at("a", *(remove_watches(n, kind, only_check=True) for kind in kinds)),
            at("a", *(remove_watches(n, kind) for kind in kinds)),
            at("a", remove_watches(n, 0), remove_watches(n, 9),
               remove_watches(n, 0, only_check=True), remove_watches("nope", ANY), exists(n)),
            at("a", get_data(n, watch=True), get_children(n, watch=True)),
            at("a", *(remove_watches(n, kind, only_check=True) for kind in kinds)),
            at("a", remove_watches(n, CHILDREN), remove_watches(n, CHILDREN, only_check=True),
               remove_watches(n, DATA, only_check=True)),
            *each("b", create(f"{n}/x"), set_data(n, b"1")),
            at("a", get_data(n, watch=True), get_children(n, watch=True), remove_watches(n, ANY),
               remove_watches(n, ANY)), at("b", set_data(n, b"2")),
            at("a", add_watch(n, PERSISTENT_WATCH), remove_watches(n, ANY, only_check=True),
               remove_watches(n, ANY), remove_watches(n, ANY)),
            at("a", add_watch(n, RECURSIVE_WATCH), remove_watches(f"{n}/x", ANY),
               remove_watches(n, ANY)),
            at("b", set_data(n, b"3"), delete(f"{n}/x"), get_data(n, watch=True)),
            at("a", remove_watches(n, DATA, only_check=True), remove_watches(n, DATA)),
            at("b", set_data(n, b"4"))]


@sequence("Z33")
def persistent_watches_removed_by_kind(root):
    """Behind it nothing happens: ZooKeeper knows these kinds since 3.9 only."""
    kinds = (PERSISTENT_KIND, RECURSIVE_KIND)
    return [Open("a"),
            at("a", *(remove_watches(root, kind, only_check=True) for kind in kinds)),
            at("a", *(remove_watches(root, kind) for kind in kinds)), at("a", exists(root))]


@sequence("Z35")
def many_children(root):
    names = [f"{root}/{letter}{number}" for letter in "zay" for number in range(20)]
    return [Open("a"), at("a", *(create(name) for name in names)), at("a", get_children2(root))]
