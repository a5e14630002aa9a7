%% What a purge and replaced persistent terms leave behind: terms that processes still hold stay good, memory is given back.
-module(purge_tests).
-export([tests/0]).

-define(M, purge_tests_subject).

tests() ->
    [{literal_after_purge, fun literal_after_purge/0},
     {literals_in_old_heap, fun literals_in_old_heap/0},
     {persistent_after_erase, fun persistent_after_erase/0},
     {trace_after_purge, fun trace_after_purge/0},
     {many_reloads, fun many_reloads/0}].

load(Version) -> {module, ?M} = code:load_binary(?M, "x", code(Version)).

code(Version) ->
    Text = io_lib:format("value() -> {literal, ~p, \"text\", <<\"~s\">>, #{a => [1.5, 1 bsl 70]}, ~w}.",
                         [Version, lists:duplicate(100, $b), lists:seq(1, 200)]),
    Forms = [{attribute, 1, module, ?M}, {attribute, 1, export, [{value, 0}, {crash, 1}, {make, 1}]},
             form(Text), form("crash(X) -> 1 + helper(X)."), form("helper(X) -> atom_to_list(X)."),
             form("make(X) -> fun(Y) -> {X, Y, \"in a fun\"} end.")],
    {ok, ?M, Code} = compile:forms(Forms, []),
    Code.

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(lists:flatten(Text)),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

unload() ->
    code:delete(?M),
    code:purge(?M).

%% Would be put where something was freed too early.
overwrite() ->
    receive after 200 -> ok end,
    [begin persistent_term:put({?MODULE, N}, lists:duplicate(N * 7, N)), persistent_term:erase({?MODULE, N}) end
     || N <- lists:seq(1, 200)],
    ok.

literal_after_purge() ->
    load(1),
    Value = ?M:value(),
    Self = self(),
    Holders = [spawn(fun() -> V = ?M:value(), Self ! ready, receive {tell, V2} -> Self ! {V, V2} end end)
               || _ <- lists:seq(1, 20)],
    [receive ready -> ok end || _ <- Holders],
    self() ! {kept, Value},
    Timer = erlang:send_after(300, self(), {late, Value}),
    put(value, Value),
    unload(),
    overwrite(),
    Late = receive {late, V3} -> V3 end,
    Kept = receive {kept, V4} -> V4 end,
    [H ! {tell, Value} || H <- Holders],
    All = [receive {A, B} -> {A, B} end || _ <- Holders],
    {Value, lists:usort(All) =:= [{Value, Value}], Late =:= Value, Kept =:= Value, get(value) =:= Value,
     is_reference(Timer)}.

literals_in_old_heap() ->
    load(1),
    V = {here, ?M:value(), [?M:value() || _ <- lists:seq(1, 100)]},
    garbage_collect(),
    garbage_collect(self(), [{type, minor}]),
    T = ets:new(t, []),
    ets:insert(T, {key, ?M:value()}),
    unload(),
    overwrite(),
    [{key, X}] = ets:lookup(T, key),
    {here, A, L} = V,
    {A =:= X, lists:usort(L) =:= [A], A}.

persistent_after_erase() ->
    Value = {binary:copy(<<"p">>, 200), [1, 2, 3], #{k => "v"}},
    Counts = persistent_term:info(),
    persistent_term:put(?MODULE, Value),
    A = persistent_term:get(?MODULE),
    persistent_term:put(?MODULE, other),
    B = persistent_term:erase(?MODULE),
    receive after 100 -> ok end,
    [persistent_term:put({?MODULE, N}, {N, binary:copy(<<"q">>, 200)}) || N <- lists:seq(1, 100)],
    [persistent_term:erase({?MODULE, N}) || N <- lists:seq(1, 100)],
    {A =:= Value, B, maps:get(count, Counts) =:= maps:get(count, persistent_term:info())}.

%% The stack trace of an exception outlives the code.
trace_after_purge() ->
    load(1),
    try ?M:crash(1)
    catch error:badarg:S ->
        unload(),
        overwrite(),
        load(2),
        R = [{M, F, if is_integer(A) -> A; true -> length(A) end} || {M, F, A, _} <- lists:sublist(S, 3)],
        unload(),
        R
    end.

%% Memory in use does not grow with the number of reloads.
many_reloads() ->
    Codes = {code(1), code(2)},
    Load = fun(N) ->
        {module, ?M} = code:load_binary(?M, "x", element(N rem 2 + 1, Codes)),
        V = ?M:value(),
        F = ?M:make(N),
        {N, _, _} = F(x),
        persistent_term:put(?MODULE, {V, F, N}),
        catch ?M:crash(N),
        code:purge(?M),
        V
    end,
    [Load(N) || N <- lists:seq(1, 20)],
    %% A leak shows in every window; what else the VM takes memory for at its own time does not.
    Result = stays(Load, 20),
    persistent_term:erase(?MODULE),
    unload(),
    Result.

stays(_, 0) -> false;
stays(Load, Windows) -> growth(Load) < 300000 orelse stays(Load, Windows - 1).

growth(Load) ->
    Before = erlang:memory(system),
    [begin Load(N), N rem 20 =:= 0 andalso receive after 20 -> ok end end || N <- lists:seq(1, 40)],
    receive after 200 -> ok end,
    erlang:memory(system) - Before.
