%% Loading, replacing, deleting and purging code; what the VM tells about modules and funs.
-module(code_tests).
-export([tests/0]).

-define(M, code_tests_subject).

tests() ->
    %% The VM writes about what it refuses, at its own time.
    logger:set_primary_config(level, none),
    [{load, fun() -> load(1), R = ?M:version(), clean(), R end},
     {replace, fun() -> load(1), load(2), R = {?M:version(), erlang:check_old_code(?M)}, clean(), R end},
     {not_purged, fun() -> load(1), load(2), R = finish(3), clean(), R end},
     {old_code_runs, fun old_code_runs/0},
     {soft_purge_refuses, fun soft_purge_refuses/0},
     {purge_kills, fun purge_kills/0},
     {old_fun, fun old_fun/0},
     {same_code_keeps_funs, fun same_code_keeps_funs/0},
     {export_follows, fun() -> load(1), F = fun ?M:version/0, load(2), R = F(), clean(), R end},
     {withdrawn_export, fun withdrawn_export/0},
     {deleted, fun() -> load(1), true = erlang:delete_module(?M), R = exported(version, 0), clean(), R end},
     {delete_unknown, fun() -> erlang:delete_module(no_such_module_at_all) end},
     {delete_twice, fun() -> load(1), load(2), R = (catch erlang:delete_module(?M)), clean(), element(1, R) end},
     {on_load_ok, fun() -> R = {load(1, ok), erlang:module_loaded(?M), ?M:version()}, clean(), R end},
     {on_load_fails, fun() -> R = {load(1, sorry), erlang:module_loaded(?M)}, clean(), R end},
     {on_load_flag, fun() -> erlang:has_prepared_code_on_load(erlang:prepare_loading(?M, subject(1, ok))) end},
     {used_twice, fun used_twice/0},
     {duplicated, fun duplicated/0},
     {finish_badarg, fun() -> erlang:finish_loading([make_ref()]) end},
     {finish_improper, fun() -> erlang:finish_loading([a | b]) end},
     {wrong_name, fun() -> erlang:prepare_loading(another_name, subject(1)) end},
     {garbage, fun() -> erlang:prepare_loading(?M, <<"FOR1 no module">>) end},
     {empty, fun() -> erlang:prepare_loading(?M, <<>>) end},
     {truncated, fun truncated/0},
     {prepare_badarg, fun() -> erts_internal:prepare_loading("name", <<>>) end},
     {module_info, fun subject_info/0},
     {unknown_key, fun() -> lists:module_info(no_such_key) end},
     {unknown_module, fun() -> erlang:get_module_info(no_such_module_at_all) end},
     {preloaded, fun() -> {erlang:module_info(compile), init:module_info(attributes), length(erlang:pre_loaded())} end},
     {preloaded_md5, fun() -> erlang:module_info(md5) end},
     {nifs, fun() -> lists:sort(erlang:get_module_info(zlib, nifs)) end},
     {is_builtin, fun() -> [erlang:is_builtin(M, F, A) || {M, F, A} <- functions()] end},
     {function_exported, fun() -> [erlang:function_exported(M, F, A) || {M, F, A} <- functions()] end},
     {is_builtin_badarg, fun() -> erlang:is_builtin(lists, "map", 2) end},
     {chunk, fun() -> B = subject(1), erts_internal:beamfile_chunk(B, "Attr") =/= undefined end},
     {no_chunk, fun() -> [erts_internal:beamfile_chunk(B, "None") || B <- [subject(1), <<1>>]] end},
     {chunk_badarg, fun() -> erts_internal:beamfile_chunk(<<>>, "toolong") end},
     {md5, fun() -> load(1), R = ?M:module_info(md5) =:= erts_internal:beamfile_module_md5(subject(1)), clean(), R end},
     {md5_of_nothing, fun() -> erts_internal:beamfile_module_md5(<<"nothing">>) end},
     {make_fun, fun() -> erlang:make_fun(lists, reverse, 1) =:= fun lists:reverse/1 end},
     {make_fun_big, fun() -> N = binary_to_term(term_to_binary(256)), erlang:make_fun(lists, reverse, N) end},
     {external_fun_info, fun() -> [erlang:fun_info(fun lists:map/2, K) || K <- keys()] end},
     {local_fun_info, fun local_fun_info/0},
     {fun_info_badarg, fun() -> erlang:fun_info(fun lists:map/2, nothing) end},
     {load_nif, fun() -> load(1), R = element(1, erlang:load_nif("/no/such/library", 0)), clean(), R end}].

functions() ->
    [{lists, reverse, 2}, {lists, reverse, 1}, {erlang, '+', 2}, {erlang, apply, 3}, {erlang, self, 0},
     {prim_file, open_nif, 2}, {ets, insert, 2}, {no_such_module_at_all, f, 0}, {lists, map, -1}, {lists, map, 300}].

keys() -> [type, module, name, arity, env, pid, index, uniq, new_index, new_uniq, refc].

%% The module under test: version/0 answers its version, loop/0 waits, fun_of/0 makes a fun; version 1 also has
%% only_one/0.
subject(Version) -> subject(Version, none).

subject(Version, OnLoad) ->
    Only = if Version =:= 1 -> [{only_one, 0}]; true -> [] end,
    Forms = [{attribute, 1, module, ?M},
             {attribute, 1, export, [{version, 0}, {loop, 0}, {fun_of, 0}, {start, 0}] ++ Only}] ++
            [{attribute, 1, on_load, {start, 0}} || OnLoad =/= none] ++
            [function(version, {integer, 1, Version}),
             function(start, {atom, 1, OnLoad}),
             function(loop, {'receive', 1, [{clause, 1, [{atom, 1, stop}], [], [{call, 1, {atom, 1, version}, []}]}]}),
             function(fun_of, {'fun', 1, {clauses, [{clause, 1, [], [], [{integer, 1, Version}]}]}})] ++
            [function(only_one, {atom, 1, yes}) || Version =:= 1],
    {ok, ?M, Binary} = compile:forms(Forms, []),
    Binary.

function(Name, Body) -> {function, 1, Name, 0, [{clause, 1, [], [], [Body]}]}.

load(Version) -> load(Version, none).

load(Version, OnLoad) -> code:load_binary(?M, "nofile", subject(Version, OnLoad)).

finish(Version) -> erlang:finish_loading([erlang:prepare_loading(?M, subject(Version))]).

clean() ->
    code:purge(?M),
    code:delete(?M),
    code:purge(?M),
    ok.

exported(Name, Arity) ->
    {erlang:function_exported(?M, Name, Arity), erlang:module_loaded(?M), erlang:check_old_code(?M)}.

%% A process in loop/0 of version 1, and version 2 loaded.
two_versions() ->
    load(1),
    Pid = spawn(?M, loop, []),
    Monitor = monitor(process, Pid),
    receive after 20 -> ok end,
    erlang:finish_loading([erlang:prepare_loading(?M, subject(2))]),
    {Pid, Monitor}.

down(Monitor) -> receive {'DOWN', Monitor, process, _, Reason} -> Reason after 5000 -> none end.

old_code_runs() ->
    {Pid, Monitor} = two_versions(),
    Checks = {erlang:check_process_code(Pid, ?M), erlang:check_process_code(self(), ?M)},
    Pid ! stop,
    Reason = down(Monitor),
    clean(),
    {Checks, Reason}.

soft_purge_refuses() ->
    {Pid, Monitor} = two_versions(),
    Refused = code:soft_purge(?M),
    Pid ! stop,
    Reason = down(Monitor),
    Purged = code:soft_purge(?M),
    clean(),
    {Refused, Reason, Purged}.

purge_kills() ->
    {_, Monitor} = two_versions(),
    Purged = code:purge(?M),
    Reason = down(Monitor),
    clean(),
    {Purged, Reason, erlang:check_old_code(?M)}.

old_fun() ->
    load(1),
    F = ?M:fun_of(),
    load(2),
    Before = F(),
    code:purge(?M),
    After = try F() catch C:R -> {C, element(1, R)} end,
    clean(),
    {Before, After}.

same_code_keeps_funs() ->
    load(1),
    F = ?M:fun_of(),
    load(1),
    code:purge(?M),
    R = {F(), F =:= ?M:fun_of(), erlang:fun_info(F, name)},
    clean(),
    R.

withdrawn_export() ->
    load(1),
    Before = exported(only_one, 0),
    load(2),
    R = {Before, exported(only_one, 0), catch ?M:only_one()},
    clean(),
    setelement(3, R, element(1, element(2, element(3, R)))).

used_twice() ->
    Code = erlang:prepare_loading(?M, subject(1)),
    First = erlang:finish_loading([Code]),
    Second = try erlang:finish_loading([Code]) catch C:R -> {C, R} end,
    clean(),
    {First, Second}.

duplicated() ->
    erlang:finish_loading([erlang:prepare_loading(?M, subject(V)) || V <- [1, 2]]).

truncated() ->
    Binary = subject(1),
    lists:usort([erlang:prepare_loading(?M, binary:part(Binary, 0, N)) || N <- lists:seq(0, byte_size(Binary) - 1, 7)]).

subject_info() ->
    load(1),
    R = {[K || {K, _} <- ?M:module_info()], lists:sort(?M:module_info(exports)), lists:sort(?M:module_info(functions)),
         [K || {K, _} <- ?M:module_info(attributes)], [K || {K, _} <- ?M:module_info(compile)], ?M:module_info(nifs)},
    clean(),
    R.

local_fun_info() ->
    load(1),
    F = ?M:fun_of(),
    Loaded = [erlang:fun_info(F, K) || K <- keys() -- [refc]],
    clean(),
    {Loaded, erlang:fun_info(F, name), erlang:fun_info(F, module), erlang:fun_info_mfa(F)}.
