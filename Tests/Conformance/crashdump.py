#!/usr/bin/env python3
"""Crash dumps of the real erl and of Enigma, read by OTP's own crashdump_viewer, must tell the same.

usage: crashdump.py ENIGMA

A program with a known dictionary, messages, links, tables and timers halts with a slogan on both VMs. The viewer
(compiled from the installed OTP's sources) reads both dumps on the real erl; what it finds is compared. Then the
environment variables that limit dumps are tried. Last line: `N passed, M failed`.
"""
import glob, os, re, subprocess, sys, tempfile

ROOT = subprocess.run(["sh", os.path.join(os.path.dirname(__file__), "../../otp/locate.sh")],
                      capture_output=True, text=True, check=True).stdout.strip()

PROGRAM = r"""
-module(dumped).
-export([start/0]).
start() ->
    B = binary:copy(<<"x">>, 100),
    Big = maps:from_list([{I, {I, <<I>>}} || I <- lists:seq(1, 40)]),
    [put(K, V) || {K, V} <- [{tuple, {some, "value", 1.5, -2.0e100, <<"bin">>}}, {big, 1 bsl 80}, {negative, -(1 bsl 90)},
                             {binary, B}, {part, binary:part(B, 10, 80)}, {'export', fun lists:map/2},
                             {map, #{a => 1, b => [2]}}, {bigmap, Big}, {list, [1, -1, 'odd atom', [] | tail]},
                             {pid, self()}, {empty, {{}, #{}, [], <<>>}}, {shared, {B, B}}]],
    T = ets:new(dumped_table, [named_table, ordered_set]),
    ets:insert(T, [{I} || I <- lists:seq(1, 10)]),
    register(dumped, self()),
    self() ! {a, message}, self() ! "two", self() ! #{three => 3.0},
    Waiter = spawn_link(fun() -> register(waiter, self()), put(k, v), receive x -> ok end end),
    spawn_monitor(fun() -> receive x -> ok end end),
    erlang:send_after(100000, self(), tick),
    wait(Waiter),
    halt("the slogan"),
    T.
wait(Pid) ->
    case process_info(Pid, [status, registered_name]) of
        [{status, waiting}, {registered_name, waiter}] -> ok;
        _ -> erlang:yield(), wait(Pid)
    end.
"""

READER = r"""
-module(reader).
-export([main/1]).
-include("crashdump_viewer.hrl").
main(File) ->
    {ok, _} = crashdump_viewer:start_link(),
    _ = crashdump_viewer:read_file(File),
    {ok, G, _} = general(100),
    say(slogan, G#general_info.slogan),
    say(node, G#general_info.node_name),
    say(same_counts, [is_list(G#general_info.num_atoms), G#general_info.num_procs =/= "0", is_list(G#general_info.system_vsn)]),
    {ok, Procs, _} = crashdump_viewer:processes(),
    Names = lists:sort([{P#proc.name, P#proc.state, P#proc.msg_q_len} || P <- Procs, is_list(P#proc.name), interesting(P#proc.name)]),
    say(processes, Names),
    Details = [begin {ok, D, _} = crashdump_viewer:proc_details(pid_to_list(P#proc.pid)), D end || P <- Procs],
    [D] = [X || X <- Details, X#proc.name =:= "dumped"],
    say(dictionary, [{K, ground(V)} || {K, V} <- lists:sort(D#proc.dict)]),
    say(messages, [ground(element(1, M)) || M <- D#proc.msg_q]),
    say(links, {length(D#proc.links), length(D#proc.monitors)}),
    say(initial, D#proc.init_func),
    [W] = [X || X <- Details, X#proc.name =:= "waiter"],
    say(waiter, {W#proc.state, W#proc.dict, [L || L <- W#proc.links] =/= [], W#proc.init_func}),
    say(every_process, length(Details) =:= length(Procs)),
    {ok, Tables, _} = crashdump_viewer:ets_tables(all),
    say(tables, [{T#ets_table.name, T#ets_table.data_type, T#ets_table.size} || T <- Tables, T#ets_table.name =:= "dumped_table"]),
    {ok, Timers, _} = crashdump_viewer:timers(all),
    say(timers, [T#timer.msg || T <- Timers, T#timer.msg =:= "tick"]),
    {ok, Modules, _} = crashdump_viewer:loaded_modules(),
    say(modules, [M || #loaded_mod{mod = M} <- Modules, M =:= "lists" orelse M =:= "dumped"]),
    {ok, Funs, _} = crashdump_viewer:funs(),
    say(funs, length([F || F <- Funs, F#fu.module =:= "dumped"])),
    {ok, Atoms, _} = crashdump_viewer:atoms(),
    say(atoms, length(Atoms) > 5000),
    {ok, Ports, _} = crashdump_viewer:ports(),
    say(ports, lists:sort([P#port.controls || P <- Ports])),
    {ok, Memory, _} = crashdump_viewer:memory(),
    say(memory, [K || {K, V} <- Memory, is_integer(list_to_integer(V))]),
    {ok, Terms, _} = crashdump_viewer:persistent_terms(),
    say(persistent, length(Terms) > 3),
    {ok, Schedulers, _} = crashdump_viewer:schedulers(),
    say(schedulers, length(Schedulers)),
    halt().
say(What, Term) -> io:format("~p ~0tp~n", [What, Term]).
interesting(Name) -> lists:member(Name, ["dumped", "kernel_sup", "code_server", "waiter", "logger"]).
%% Binaries are placeholders in the viewer until they are expanded.
ground(['#CDVBin' | Where]) ->
    try crashdump_viewer:expand_binary(list_to_tuple(Where)) of {ok, B} -> B; B -> B catch _:_ -> unreadable end;
ground(['#CDVPid', _, _, _]) -> pid;
ground([H | T]) -> [ground(H) | ground(T)];
ground(T) when is_tuple(T) -> list_to_tuple(ground(tuple_to_list(T)));
ground(M) when is_map(M) -> maps:map(fun(_, V) -> ground(V) end, M);
ground(T) when is_pid(T) -> pid;
ground(T) -> T.
%% Reading goes on in the background.
general(0) -> timeout;
general(N) ->
    case crashdump_viewer:general_info() of
        {ok, #general_info{slogan = S}, _} = R when is_list(S) -> R;
        _ -> timer:sleep(50), general(N - 1)
    end.
"""
STAND_IN = "-module(observer_lib).\n-export([report_progress/1]).\nreport_progress(_) -> ok.\n"

LIMITS = [
    ("no time", {"ERL_CRASH_DUMP_SECONDS": "0"}),
    ("no bytes", {"ERL_CRASH_DUMP_BYTES": "0"}),
    ("few bytes", {"ERL_CRASH_DUMP_BYTES": "3000"}),
    ("any time", {"ERL_CRASH_DUMP_SECONDS": "-1"}),
    ("unwritable", {"ERL_CRASH_DUMP": "/nonexistent/dump"}),
]


def prepare(folder):
    source = glob.glob(os.path.join(ROOT, "lib", "observer-*", "src"))[0]
    for name, text in [("dumped", PROGRAM), ("reader", READER), ("observer_lib", STAND_IN)]:
        with open(os.path.join(folder, name + ".erl"), "w") as file:
            file.write(text)
    sources = [os.path.join(folder, n + ".erl") for n in ("dumped", "reader", "observer_lib")]
    subprocess.run(["erlc", "-I", source, "-o", folder] + sources + [os.path.join(source, "crashdump_viewer.erl")], check=True)


def run(command, folder, env=None, limit=120):
    env = dict(os.environ, **(env or {}))
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, env=env)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def findings(vm, folder):
    dump = os.path.join(folder, "dump")
    code, text = run(vm + ["-noshell", "-pa", folder, "-s", "dumped"], folder, {"ERL_CRASH_DUMP": dump})
    _, seen = run(["erl", "-noshell", "-pa", folder, "-eval", 'reader:main("%s").' % dump], folder)
    table = {"exit": "%d %s" % (code, text)}
    for line in seen.splitlines():
        key, _, value = line.partition(" ")
        table[key] = value
    return table


def limited(vm, folder, env):
    for name in glob.glob(os.path.join(folder, "erl_crash.dump")):
        os.remove(name)
    code, text = run(vm + ["-noshell", "-eval", 'halt("the slogan").'], folder, env)
    dump = os.path.join(folder, "erl_crash.dump")
    if not os.path.exists(dump):
        return code, text, None
    with open(dump, "rb") as file:
        content = file.read()
    small = len(content) if len(content) < 5000 else "large"
    return code, text, small, content.splitlines()[0], content.splitlines()[-1]


def main():
    enigma = [os.path.abspath(sys.argv[1])] + sys.argv[2:]
    passed = failed = 0

    def check(name, want, got):
        nonlocal passed, failed
        if want == got:
            passed += 1
        else:
            failed += 1
            print("%s\n  erl    %s\n  enigma %s" % (name, str(want)[:1500], str(got)[:1500]))

    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        want, got = findings(["erl"], folder), findings(enigma, folder)
        for key in dict.fromkeys(list(want) + list(got)):
            check(key, want.get(key), got.get(key))
        for name, env in LIMITS:
            check(name, limited(["erl"], folder, env), limited(enigma, folder, env))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
