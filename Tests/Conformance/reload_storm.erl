%% A module reloaded many times while processes run it: the JIT's memory must come back. Prints `ok` or what leaked.
-module(reload_storm).
-export([main/1]).

main(Times) ->
    {ok, target, Code} = compile:forms(forms(), [binary]),
    {module, target} = code:load_binary(target, "target", Code),
    Workers = [spawn(fun() -> work(N) end) || N <- lists:seq(1, 4)],
    storm(Code, Times div 4, 0),
    Before = figures(),
    Compiled = storm(Code, Times, 0),
    [exit(Pid, kill) || Pid <- Workers],
    settle(50),
    After = figures(),
    report(Times, Compiled, Before, After).

%% loop/2 with a constant, a case and a call each way.
forms() ->
    Source = ["-module(target). ", "-export([loop/2, step/1]). ",
        "loop(0, Acc) -> Acc; ",
        "loop(N, Acc) when is_integer(N) -> case N rem 3 of 0 -> loop(N - 1, step(Acc)); _ -> loop(N - 1, [N | Acc]) end. ",
        "step(Acc) -> lists:sublist(Acc, 5) ++ [{a, literal, [1, 2, 3]}]. "],
    {ok, Tokens, _} = erl_scan:string(lists:append(Source)),
    split(Tokens, []).

split([], []) -> [];
split([{dot, _} = Dot | Rest], Acc) ->
    {ok, Form} = erl_parse:parse_form(lists:reverse(Acc, [Dot])),
    [Form | split(Rest, [])];
split([Token | Rest], Acc) -> split(Rest, [Token | Acc]).

work(N) ->
    _ = target:loop(200 + N, []),
    receive stop -> ok after 0 -> work(N) end.

%% Answers how many generations got native code before they were replaced.
storm(_, 0, Compiled) -> Compiled;
storm(Code, Left, Compiled) ->
    code:purge(target),
    {module, target} = code:load_binary(target, "target", Code),
    %% Some are replaced while they are compiled, some after.
    Waits = case Left rem 4 of 0 -> 1000; 1 -> 5; _ -> 0 end,
    storm(Code, Left - 1, Compiled + wait_compiled(Waits)).

wait_compiled(0) -> 0;
wait_compiled(N) ->
    case enigma_jit:info({target, loop, 2}) of
        #{state := compiled} -> 1;
        _ ->
            _ = target:loop(100, []),
            receive after 1 -> wait_compiled(N - 1) end
    end.

settle(0) -> ok;
settle(N) ->
    erlang:garbage_collect(),
    case enigma_jit:stats() of
        #{queued := 0} when N < 30 -> ok;
        _ -> receive after 20 -> settle(N - 1) end
    end.

%% Functions of `target` in all its generations that have native code, beside the memory of the whole.
figures() ->
    Functions = [Info || #{function := {target, _, _}} = Info <- enigma_jit:info()],
    #{memory => maps:get(memory, enigma_jit:stats()), freed => maps:get(units_freed, enigma_jit:stats()),
        functions => length(Functions), size => lists:sum([maps:get(code_size, Info, 0) || Info <- Functions]),
        code => erlang:memory(code)}.

report(Times, Compiled, Before, After) ->
    Grown = maps:from_list([{Key, maps:get(Key, After) - maps:get(Key, Before)} || Key <- maps:keys(After)]),
    Wrong = [What || {What, true} <- [
        {few_compiled, Compiled < Times div 8},
        {few_freed, maps:get(freed, Grown) < Compiled},
        {functions, maps:get(functions, After) > 20},
        {size, maps:get(size, After) > 60000},
        {code, maps:get(code, Grown) > 300000},
        {memory, maps:get(memory, Grown) > 60000 * 1024}]],
    Text = "~p reloads, ~p native generations, grown: ~0p, native code of the module: ~p functions~n",
    Arguments = [Times, Compiled, Grown, maps:get(functions, After)],
    case Wrong of
        [] -> io:format("ok: " ++ Text, Arguments);
        _ -> io:format("leaked ~p: " ++ Text, [Wrong | Arguments])
    end,
    halt(0).
