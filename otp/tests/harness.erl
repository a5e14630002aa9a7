%% Runs test modules and prints one line for each test, so that two VMs can be compared line by line.
%%
%% A test module exports tests/0: a list of {Name, fun() -> Term}. The outcome is {ok, Value} or
%% {Class, Reason, Stacktrace}; what differs from run to run by nature (pids, references, ports) is numbered in order
%% of appearance.
-module(harness).
-export([main/1]).

main([Module]) ->
    run_module(Module),
    halt(0);
main(Modules) ->
    lists:foreach(
        fun(M) ->
            io:put_chars(["#module ", atom_to_list(M), "\n"]),
            run_module(M)
        end,
        Modules),
    halt(0).

run_module(Module) ->
    try Module:tests() of
        Tests -> lists:foreach(fun({Name, Test}) -> report(Module, Name, outcome(Test)) end, Tests)
    catch
        Class:Reason:Stack -> report(Module, tests, {Class, Reason, Stack})
    end.

report(Module, Name, Outcome) ->
    Text = unicode:characters_to_binary(io_lib:format("~ts:~tp ~0tp~n", [Module, Name, normalise(Outcome)])),
    io:put_chars(standard_io, Text).

%% Each test runs in a process of its own, so that what it leaves behind goes away with it. How long it may take is the
%% mode's: where everything is compiled first, one call of the compiler takes minutes.
outcome(Test) ->
    Limit = 1000 * list_to_integer(os:getenv("ENIGMA_TEST_SECONDS", "60")),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({outcome, run(Test)}) end),
    receive
        {'DOWN', Monitor, process, Pid, {outcome, Outcome}} -> Outcome;
        {'DOWN', Monitor, process, Pid, Reason} -> {died, Reason}
    after Limit ->
        exit(Pid, kill),
        timeout
    end.

run(Test) ->
    try {ok, Test()}
    catch Class:Reason:Stack -> {Class, Reason, own_frames(Stack)}
    end.

%% Frames below the test itself belong to the harness.
own_frames(Stack) -> lists:takewhile(fun(Frame) -> element(1, Frame) =/= ?MODULE end, Stack).

normalise(Term) ->
    {Result, _} = normalise(Term, #{}),
    Result.

normalise(Term, Seen) when is_pid(Term) -> number(pid, Term, Seen);
normalise(Term, Seen) when is_reference(Term) -> number(ref, Term, Seen);
normalise(Term, Seen) when is_port(Term) -> number(port, Term, Seen);
normalise([Head | Tail], Seen) ->
    {NewHead, Seen1} = normalise(Head, Seen),
    {NewTail, Seen2} = normalise(Tail, Seen1),
    {[NewHead | NewTail], Seen2};
normalise(Term, Seen) when is_tuple(Term) ->
    {List, Seen1} = normalise(tuple_to_list(Term), Seen),
    {list_to_tuple(List), Seen1};
normalise(Term, Seen) when is_map(Term) ->
    {List, Seen1} = normalise(lists:sort(maps:to_list(Term)), Seen),
    {{map, List}, Seen1};
normalise(Term, Seen) -> {Term, Seen}.

number(Kind, Term, Seen) ->
    case Seen of
        #{Term := Name} -> {Name, Seen};
        #{} ->
            Name = {Kind, map_size(Seen) + 1},
            {Name, Seen#{Term => Name}}
    end.
