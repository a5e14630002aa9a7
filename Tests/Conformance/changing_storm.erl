%% A module replaced by ever new code while processes run it and pass its funs on: nothing of the old code may stay.
%% Prints `ok` or what leaked.
-module(changing_storm).
-export([main/1]).

-define(MARK, 16#12345678).

main(Times) ->
    Bases = list_to_tuple([compiled(Kind) || Kind <- lists:seq(1, 4)]),
    ets:new(kept, [named_table, public]),
    storm(Bases, 1, 24),
    Before = settle(Bases, 25, none, 20),
    storm(Bases, 100, Times),
    After = settle(Bases, 100 + Times, Before, 500),
    report(Times, Before, After),
    halt(0).

%% Code of one kind; its version is a number in it, so that no two versions have the same checksum.
compiled(Kind) ->
    K = integer_to_list(Kind),
    Source = [
        "-module(target). -export([run/2, make/1, version/0, extra_", K, "/1]). -record(r, {a = ", K, ", b, c}). ",
        "version() -> ", integer_to_list(?MARK), ". ",
        "extra_", K, "(X) -> {extra, X, <<\"", lists:duplicate(70 + Kind, $x), "\">>}. ",
        "run(0, Acc) -> Acc; ",
        "run(N, Acc) when is_integer(N) -> F = make(N), run(N - 1, step(F(N), Acc)). ",
        "step(X, [A, B, C | _]) -> [X, A, B, C]; step(X, Acc) -> [X | Acc]. ",
        "make(N) -> case N rem 4 of 0 -> fun(X) -> {X + N, version()} end; 1 -> fun plain/1; ",
        "2 -> fun(X) -> #r{b = X, c = [\"text\", {", K, ", 1.5}, #{a => b}]} end; ",
        "3 -> Y = {N, ", K, "}, fun(X) -> [Z || Z <- [X, Y, <<\"", lists:duplicate(80, $y), "\">>]] end end. ",
        "plain(X) -> #r{a = X, b = 'atom_", K, "'}. "],
    {ok, Tokens, _} = erl_scan:string(lists:flatten(Source)),
    {ok, target, Code} = compile:forms(split(Tokens, []), [binary]),
    [Start, End] = binary:split(Code, <<?MARK:32>>),
    {Start, End}.

split([], []) -> [];
split([{dot, _} = Dot | Rest], Acc) ->
    {ok, Form} = erl_parse:parse_form(lists:reverse(Acc, [Dot])),
    [Form | split(Rest, [])];
split([Token | Rest], Acc) -> split(Rest, [Token | Acc]).

load(Bases, Version) ->
    {Start, End} = element(Version rem tuple_size(Bases) + 1, Bases),
    {module, target} = code:load_binary(target, "target", <<Start/binary, (?MARK + Version):32, End/binary>>),
    Number = ?MARK + Version,
    Number = target:version().

storm(Bases, First, Times) ->
    load(Bases, First),
    Workers = spawn_link(fun() -> keep([worker(N) || N <- lists:seq(1, 4)]) end),
    [replace(Bases, Version) || Version <- lists:seq(First + 1, First + Times - 1)],
    unlink(Workers),
    Reference = monitor(process, Workers),
    Workers ! stop,
    receive {'DOWN', Reference, process, _, _} -> ok end,
    ets:delete_all_objects(kept),
    persistent_term:erase(kept).

replace(Bases, Version) ->
    purge(Version),
    load(Bases, Version),
    %% Some versions become native code, some do not live so long.
    wait_compiled(case Version rem 8 of 0 -> 10000; 1 -> 3; _ -> 0 end).

purge(Version) when Version rem 5 =:= 0 -> code:purge(target);
purge(Version) ->
    case code:soft_purge(target) of
        true -> ok;
        false -> receive after 1 -> purge(Version) end
    end.

wait_compiled(0) -> ok;
wait_compiled(N) ->
    case enigma_jit:info({target, run, 2}) of
        #{state := compiled} -> ok;
        #{state := refused} -> ok;
        _ -> receive after 1 -> wait_compiled(N - 1) end
    end.

%% Purging kills workers that are in old code. Ends with all of them.
keep(Workers) ->
    receive
        {'DOWN', _, process, Pid, _} ->
            [N] = [I || {I, {P, _}} <- Workers, P =:= Pid],
            keep(lists:keyreplace(N, 1, Workers, worker(N)));
        stop ->
            [begin exit(Pid, kill), receive {'DOWN', Ref, _, _, _} -> ok end end || {_, {Pid, Ref}} <- Workers]
    end.

worker(N) -> {N, spawn_monitor(fun() -> register(list_to_atom("storm" ++ integer_to_list(N)), self()), work(N, 0, none) end)}.

%% Funs are kept in the process, its dictionary, a table, a persistent term, a timer, and sent around.
work(N, Round, Old) ->
    _ = (catch target:run(100 + N, [])),
    _ = (catch Old(Round)),
    Fun = (catch target:make(Round)),
    put(Round rem 3, Fun),
    ets:insert(kept, {{N, Round rem 7}, Fun, [Old]}),
    _ = (catch (ets:lookup_element(kept, {N, Round rem 5}, 2))(Round)),
    case Round rem 50 of
        N -> persistent_term:put(kept, {Fun, Round});
        _ -> _ = (catch (element(1, persistent_term:get(kept, {none})))(Round))
    end,
    erlang:send_after(Round rem 3, self(), {timed, Fun}),
    catch list_to_atom("storm" ++ integer_to_list(N rem 4 + 1)) ! {passed, Fun},
    case Round rem 16 of
        0 -> _ = (catch (binary_to_term(term_to_binary(Fun)))(Round));
        _ -> ok
    end,
    work(N, Round + 1, receive_all(Fun)).

receive_all(Fun) ->
    receive {_, Other} -> receive_all(Other) after 1 -> Fun end.

%% A process may still have held something when the last version went, so more versions go, until nothing is left of what
%% went before (`Goal`). What has leaked never goes.
settle(Bases, Version, Goal, Left) ->
    purge(Version),
    load(Bases, Version),
    [erlang:garbage_collect(Pid) || Pid <- processes()],
    receive after 20 -> ok end,
    Figures = figures(),
    case Left =:= 0 orelse Goal =/= none andalso leaks(Goal, Figures) =:= [] of
        true -> Figures;
        false -> settle(Bases, Version + 1, Goal, Left - 1)
    end.

leaks(Before, After) ->
    [{What, maps:get(What, Before), maps:get(What, After)} ||
        What <- [generations, funs, literals], maps:get(What, After) > maps:get(What, Before)]
        ++ [{generations, N} || #{generations := N} <- [After], N > 0].

figures() ->
    Names = erlang:loaded(),
    Stats = enigma_jit:stats(),
    Expected = length(Names) + length([Name || Name <- Names, erlang:check_old_code(Name)]),
    #{generations => maps:get(generations, Stats) - Expected, funs => maps:get(fun_entries, Stats),
        literals => maps:get(literal_size, Stats),
        freed => maps:get(units_freed, Stats), memory => maps:get(memory, Stats),
        native => length([Info || #{function := {target, _, _}} = Info <- enigma_jit:info()])}.

report(Times, Before, After) ->
    Wrong = leaks(Before, After)
        ++ [{freed, N} || #{freed := N} <- [After], N < Times div 8]
        ++ [{native, N} || #{native := N} <- [After], N > 16],
    case Wrong of
        [] -> io:format("ok: ~p versions, ~0p, before ~0p~n", [Times, After, Before]);
        _ -> io:format("leaked ~0p: ~p versions, ~0p, before ~0p~n", [Wrong, Times, After, Before])
    end.
