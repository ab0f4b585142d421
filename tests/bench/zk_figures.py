"""Figures of both systems, run by run: medians, ratios, and the table of them with the numbers to
reach."""

import os
import statistics

from zk_rows import HIGHER_IS_BETTER, goal_of

SYSTEMS = ("zookeeper", "ours")


def times_better(metric, zookeeper, ours):
    """How many times better ours is."""
    if metric in HIGHER_IS_BETTER:
        zookeeper, ours = ours, zookeeper
    return zookeeper / ours if ours else float("inf")


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values):
    return f"{shown(min(values))}-{shown(max(values))}" if len(values) > 1 else ""


class Figures:
    """Taken figures by row, metric and system, a value per run."""

    def __init__(self):
        self._values = {}    # (row, metric) -> system -> values in the order of runs
        self._commands = {}  # by row
        self._loads = {}     # load average by row
        self.failures = {}   # by row: why it has no result

    def add(self, row, system, figures, command):
        self._commands[row] = command
        self._loads[row] = os.getloadavg()[0]
        for metric, value in figures.items():
            self._values.setdefault((row, metric), {}).setdefault(system, []).append(value)

    def fail(self, row, system, why):
        """A row with errors in any run is no result."""
        self.failures.setdefault(row, f"{system}: {why}")

    def results(self, machine, ceilings):
        """One dictionary per figure, rows with failures left out."""
        results = []
        order = list(dict.fromkeys(row for row, _ in self._values))
        for (row, metric), systems in sorted(self._values.items(),
                                             key=lambda one: order.index(one[0][0])):
            if row in self.failures:
                continue
            one = {"name": f"{row}_{metric}", "row": row, "metric": metric}
            for system in SYSTEMS:
                if system in systems:
                    one[system] = statistics.median(systems[system])
                    one[f"{system}_runs"] = systems[system]
            if all(system in systems for system in SYSTEMS):
                one["ratio_runs"] = [times_better(metric, theirs, ours) for theirs, ours in
                                     zip(systems["zookeeper"], systems["ours"])]
                one["ratio"] = statistics.median(one["ratio_runs"])
            one["ceiling"] = ceilings.get(row, {}).get(metric)
            self._judge(one)
            one.update(command=self._commands[row], machine=machine,
                       load_average=self._loads[row])
            results.append(one)
        return results

    @staticmethod
    def _judge(one):
        goal = goal_of(one["row"], one["metric"])
        if goal is None:
            return
        if goal.most and "ours" in one:
            one["goal"] = f"<= {shown(goal.most)}"
            one["reached"] = one["ours"] <= goal.most
        elif goal.times and "ratio" in one:
            one["goal"] = f">= {goal.times:g}x"
            one["reached"] = one["ratio"] >= goal.times


def print_table(results, failures):
    line = "{:<24} {:<22} {:>10} {:>15} {:>10} {:>15} {:>7} {:>11} {:>8} {:>9} {:>10}"
    print(line.format("row", "figure", "zookeeper", "runs", "ours", "runs", "ratio", "runs", "goal",
                      "", "echo"))
    last = None
    for one in results:
        ratio = f"{one['ratio']:.2f}x" if "ratio" in one else "-"
        reached = {True: "reached", False: "NOT YET"}.get(one.get("reached"), "")
        print(line.format(
            one["row"] if one["row"] != last else "", one["metric"],
            shown(one.get("zookeeper")), spread(one.get("zookeeper_runs", [])),
            shown(one.get("ours")), spread(one.get("ours_runs", [])), ratio,
            spread(one.get("ratio_runs", [])), one.get("goal", ""), reached,
            shown(one["ceiling"])))
        last = one["row"]
    for row, why in failures.items():
        print(f"{row:<24} no result: {why}")
