%% What a purge and replaced persistent terms leave behind: terms that processes still hold stay good, memory is given back.
-module(purge_tests).
-export([tests/0]).

-define(M, purge_tests_subject).

tests() ->
    [{literal_after_purge, fun literal_after_purge/0},
     {literals_in_old_heap, fun literals_in_old_heap/0},
     {persistent_after_erase, fun persistent_after_erase/0},
     {trace_after_purge, fun trace_after_purge/0},
     {funs_after_purge, fun funs_after_purge/0},
     {funs_on_their_way, fun funs_on_their_way/0},
     {decoded_funs, fun decoded_funs/0},
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

%% Versions that come and go, with funs in the place where others were freed.
others() ->
    [begin load(N), F = ?M:make(N), {N, x, _} = F(x), unload() end || N <- lists:seq(100, 110)],
    overwrite().

%% A fun outlives its code wherever it is kept, and reaches the code again when that is loaded once more.
funs_after_purge() ->
    load(1),
    F = ?M:make(1),
    Self = self(),
    Holder = spawn(fun() -> receive {keep, G} -> receive tell -> Self ! {held, G} end end end),
    Holder ! {keep, F},
    T = ets:new(t, []),
    C = ets:new(c, [ordered_set, compressed]),
    ets:insert(T, [{key, [F]}, {other, ?M:make(7)}]),
    ets:insert(C, {key, {F}}),
    put(kept, F),
    persistent_term:put(?MODULE, {F}),
    self() ! {queued, F},
    erlang:send_after(1500, self(), {late, F}),
    Reference = monitor(process, Holder, [{tag, {down, F}}]),
    unload(),
    others(),
    garbage_collect(),
    others(),
    Unloaded = catch F(1),
    ets:delete(T, other),
    Holder ! tell,
    Funs = [F, receive {held, A} -> A end, receive {queued, B} -> B end, get(kept), element(1, persistent_term:get(?MODULE)),
            receive {late, D} -> D end, receive {{down, E}, Reference, _, _, _} -> E end,
            hd(ets:lookup_element(T, key, 2)), element(1, ets:lookup_element(C, key, 2))],
    persistent_term:erase(?MODULE),
    others(),
    Infos = lists:usort([[erlang:fun_info(G, I) || I <- [module, name, arity, env, type, index]] || G <- Funs]),
    load(1),
    Results = lists:usort([G(2) || G <- Funs]),
    unload(),
    others(),
    {length(Funs), element(1, element(2, Unloaded)) =:= undef, lists:usort(Funs) =:= [F], Infos, Results, erlang:fun_info(F, name)}.

%% Funs that go round between processes while their code is purged and others take its place.
funs_on_their_way() ->
    load(1),
    Ring = [spawn_link(fun() -> pass(none) end) || _ <- lists:seq(1, 5)],
    [P ! {next, Q} || {P, Q} <- lists:zip(Ring, tl(Ring) ++ [hd(Ring)])],
    [P ! {token, ?M:make(N)} || {N, P} <- lists:enumerate(Ring), _ <- [1, 2]],
    unload(),
    others(),
    others(),
    load(1),
    [begin P ! {hold, self()}, receive {holding, P} -> ok end end || P <- Ring],
    [P ! {stop, self()} || P <- Ring],
    Held = lists:append([receive {P, Funs} -> [G(x) || G <- Funs] end || P <- Ring]),
    unload(),
    lists:sort(Held).

pass(Next) ->
    receive
        {next, P} -> pass(P);
        {hold, To} -> To ! {holding, self()}, receive {stop, To} -> To ! {self(), flush()} end;
        {token, F} when is_pid(Next) -> Next ! {token, F}, pass(Next)
    end.
flush() -> receive {token, F} -> [F | flush()] after 0 -> [] end.

%% Funs that were made from bytes, before and after their code was there.
decoded_funs() ->
    load(3),
    Bytes = term_to_binary(?M:make(3)),
    unload(),
    F = binary_to_term(Bytes),
    others(),
    G = binary_to_term(Bytes),
    put(decoded, [binary_to_term(Bytes) || _ <- lists:seq(1, 3)]),
    others(),
    erase(decoded),
    garbage_collect(),
    others(),
    load(3),
    R = {F =:= G, F(1), G(1), (binary_to_term(Bytes))(1), F =:= ?M:make(3)},
    unload(),
    others(),
    {R, term_to_binary(F) =:= term_to_binary(G), [try binary_to_term(binary:part(Bytes, 0, N)) catch error:E -> E end || N <- [20, 40, byte_size(Bytes) - 1]]}.

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
