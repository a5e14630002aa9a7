%% prim_file_tests: files, directories and file names, through prim_file and file. Outcomes are compared with the real
%% VM's, so nothing in a result depends on times, inode numbers or descriptors.
-module(prim_file_tests).
-export([tests/0]).

-include_lib("kernel/include/file.hrl").

tests() ->
    [{name_to_native, fun name_to_native/0},
     {native_to_name, fun native_to_name/0},
     {names, fun names/0},
     {write_read, fun write_read/0},
     {open_errors, fun open_errors/0},
     {open_modes, fun open_modes/0},
     {positions, fun positions/0},
     {pread_pwrite, fun pread_pwrite/0},
     {many_vectors, fun many_vectors/0},
     {bad_arguments, fun bad_arguments/0},
     {closed_file, fun closed_file/0},
     {other_process, fun other_process/0},
     {owner_death, fun owner_death/0},
     {read_line, fun read_line/0},
     {truncate_allocate, fun truncate_allocate/0},
     {advise, fun advise/0},
     {directories, fun directories/0},
     {links, fun links/0},
     {info, fun info/0},
     {set_info, fun set_info/0},
     {rename, fun rename/0},
     {read_file, fun read_file/0},
     {ipread, fun ipread/0},
     {nif_paths, fun nif_paths/0},
     {copy, fun copy/0},
     {consult, fun consult/0},
     {buffers, fun buffers/0},
     {delayed_and_ahead, fun delayed_and_ahead/0},
     {ram_files, fun ram_files/0}].

dir() ->
    case os:getenv("ENIGMA_TEST_TMP") of
        false -> "/tmp/enigma_prim_file_tests";
        Dir -> filename:join(Dir, "prim_file_tests")
    end.

%% A fresh directory of a test.
fresh(Name) ->
    Dir = filename:join(dir(), Name),
    file:del_dir_r(Dir),
    ok = filelib:ensure_dir(filename:join(Dir, "x")),
    Dir.

outcome(Fun) ->
    try Fun() of
        Value -> {value, Value}
    catch
        Class:Reason -> {Class, Reason}
    end.

name_to_native() ->
    [outcome(fun() -> prim_file:internal_name2native(N) end)
     || N <- ["abc", "", <<"abc">>, <<>>, "å", [16#1F600], [$a, ["b", [$c]]], [0], "a\0b", <<"a", 0, "b">>,
              [16#D800], [16#110000], [-1], abc, 17, ["a" | $b], [<<"a">>], [a], <<1:3>>, [[], [], "x"]]].

native_to_name() ->
    [outcome(fun() -> prim_file:internal_native2name(N) end)
     || N <- [<<"abc">>, <<>>, <<"å"/utf8>>, <<255>>, <<1:3>>, "abc", <<16#F0, 16#9F, 16#98, 16#80>>]].

names() ->
    {file:native_name_encoding(),
     [outcome(fun() -> prim_file:is_translatable(N) end) || N <- [<<"a">>, <<>>, <<255>>, <<"å"/utf8>>, "a", a]]}.

write_read() ->
    File = filename:join(fresh("write_read"), "f"),
    {ok, Fd} = prim_file:open(File, [write, read]),
    R = [prim_file:write(Fd, "hello "), prim_file:write(Fd, [<<"wor">>, "ld", [], [$!]]),
         prim_file:position(Fd, bof), prim_file:read(Fd, 5), prim_file:read(Fd, 100), prim_file:read(Fd, 1),
         prim_file:read(Fd, 0), prim_file:position(Fd, {cur, -3}), prim_file:read(Fd, 2), prim_file:sync(Fd),
         prim_file:datasync(Fd), prim_file:close(Fd), prim_file:close(Fd)],
    {R, prim_file:read_file(File)}.

open_errors() ->
    Dir = fresh("open_errors"),
    [prim_file:open(filename:join(Dir, "none"), [read]),
     prim_file:open(filename:join([Dir, "none", "f"]), [write]),
     prim_file:open(Dir, [read]), prim_file:open(Dir, [write]),
     prim_file:open([0], [read]), prim_file:open(Dir, foo), prim_file:open(foo, [read]),
     prim_file:open("", [read]),
     element(1, prim_file:open(Dir, [read, directory])),
     prim_file:open(filename:join(Dir, "none"), [read, directory]),
     prim_file:open(lists:duplicate(5000, $a), [read]),
     file:open(Dir, [read, bogus])].

open_modes() ->
    File = filename:join(fresh("open_modes"), "f"),
    ok = file:write_file(File, "0123456789"),
    Try = fun(Modes) ->
                  case prim_file:open(File, Modes) of
                      {ok, Fd} ->
                          R = {prim_file:write(Fd, "ab"), prim_file:position(Fd, bof), prim_file:read(Fd, 4)},
                          prim_file:close(Fd),
                          {R, prim_file:read_file(File)};
                      Error -> Error
                  end
          end,
    [{Modes, Try(Modes)}
     || Modes <- [[read], [], [read, write], [append], [read, append], [exclusive], [write, exclusive],
                  [read, write, sync], [bogus], [write]]].

positions() ->
    File = filename:join(fresh("positions"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    prim_file:write(Fd, lists:duplicate(100, $x)),
    [outcome(fun() -> prim_file:position(Fd, P) end)
     || P <- [bof, cur, eof, 10, {cur, 5}, {eof, -10}, {bof, 1000}, {cur, -2000}, -1, {eof, -1000}, foo, {foo, 1},
              {bof, 1 bsl 70}, {bof, 1.0}]].

pread_pwrite() ->
    File = filename:join(fresh("pread_pwrite"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    [prim_file:pwrite(Fd, 5, "hello"), prim_file:pread(Fd, 0, 20), prim_file:pread(Fd, 10, 5),
     prim_file:pread(Fd, 7, 1), prim_file:pread(Fd, [{0, 2}, {6, 3}, {100, 1}]),
     prim_file:pwrite(Fd, [{0, "ab"}, {3, <<"c">>}]), prim_file:pread(Fd, 0, 100),
     prim_file:pread(Fd, -1, 5), prim_file:pread(Fd, 0, -1), prim_file:pwrite(Fd, -1, "x"),
     prim_file:pread(Fd, a, 5), prim_file:pread(Fd, 1.0, 5), prim_file:pwrite(Fd, 0, [a]),
     prim_file:pwrite(Fd, 0, 17), prim_file:position(Fd, cur), prim_file:pread(Fd, 1 bsl 80, 1),
     prim_file:close(Fd), prim_file:pread(Fd, 0, 1)].

many_vectors() ->
    File = filename:join(fresh("many_vectors"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    Big = [binary:copy(<<I>>, 100) || I <- lists:seq(0, 199)],
    R = [prim_file:write(Fd, Big), prim_file:pwrite(Fd, 50, Big), prim_file:position(Fd, eof),
         prim_file:close(Fd)],
    {ok, All} = prim_file:read_file(File),
    {R, byte_size(All), erlang:phash2(All)}.

bad_arguments() ->
    File = filename:join(fresh("bad_arguments"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    [outcome(F)
     || F <- [fun() -> prim_file:read(Fd, -1) end, fun() -> prim_file:read(Fd, a) end,
              fun() -> prim_file:write(Fd, a) end, fun() -> prim_file:write(Fd, [a]) end,
              fun() -> prim_file:write(Fd, [<<1:3>>]) end, fun() -> prim_file:write(Fd, [300]) end,
              fun() -> prim_file:close(foo) end, fun() -> prim_file:read(foo, 1) end,
              fun() -> prim_file:truncate(foo) end, fun() -> prim_file:allocate(Fd, -1, 1) end,
              fun() -> prim_file:allocate(Fd, a, 1) end, fun() -> prim_file:advise(Fd, 0, 0, foo) end,
              fun() -> prim_file:advise(Fd, -1, 0, normal) end, fun() -> prim_file:read_file(foo) end,
              fun() -> prim_file:list_dir(foo) end, fun() -> prim_file:make_dir(foo) end,
              fun() -> prim_file:read_info_nif(<<"/", 0>>, a) end,
              fun() -> prim_file:set_permissions_nif(<<"/", 0>>, -1) end,
              fun() -> prim_file:set_time_nif(<<"/", 0>>, 1, 2, a) end,
              fun() -> prim_file:open_nif(<<"/", 0>>, foo) end,
              fun() -> prim_file:get_device_cwd_nif(1) end,
              fun() -> prim_file:get_device_cwd_nif(a) end,
              fun() -> prim_file:altname_nif(<<"/tmp", 0>>) end]].

closed_file() ->
    File = filename:join(fresh("closed_file"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    prim_file:close(Fd),
    [prim_file:read(Fd, 1), prim_file:write(Fd, "a"), prim_file:position(Fd, 0), prim_file:truncate(Fd),
     prim_file:sync(Fd), prim_file:allocate(Fd, 0, 1), prim_file:advise(Fd, 0, 0, normal)].

other_process() ->
    File = filename:join(fresh("other_process"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    {Pid, Ref} = spawn_monitor(fun() -> exit(outcome(fun() -> prim_file:read(Fd, 1) end)) end),
    receive {'DOWN', Ref, process, Pid, Reason} -> Reason end.

%% The descriptors of a process that has died are closed.
owner_death() ->
    Dir = fresh("owner_death"),
    File = filename:join(Dir, "f"),
    {Pid, Ref} = spawn_monitor(fun() -> [{ok, _} = prim_file:open(File, [read, write]) || _ <- [1, 2, 3]] end),
    receive {'DOWN', Ref, process, Pid, normal} -> ok end,
    wait_closed(File, 100).

wait_closed(_, 0) -> still_open;
wait_closed(File, N) ->
    {ok, Names} = file:list_dir("/proc/self/fd"),
    case [L || D <- Names, {ok, L} <- [file:read_link("/proc/self/fd/" ++ D)], L =:= File] of
        [] -> closed;
        _ -> timer:sleep(20), wait_closed(File, N - 1)
    end.

read_line() ->
    File = filename:join(fresh("read_line"), "f"),
    ok = file:write_file(File, ["one\ntwo\r\n\n", lists:duplicate(3000, $x), "\nlast"]),
    {ok, Fd} = file:open(File, [read, raw, binary]),
    Lines = lines(Fd),
    file:close(Fd),
    {ok, Fd2} = file:open(File, [read, raw, binary, {read_ahead, 10}]),
    Lines2 = lines(Fd2),
    file:close(Fd2),
    {ok, Fd3} = file:open(File, [read]),
    Lines3 = lines(Fd3),
    file:close(Fd3),
    {Lines, Lines =:= Lines2, length(Lines3)}.

lines(Fd) ->
    case file:read_line(Fd) of
        {ok, Line} -> [Line | lines(Fd)];
        Other -> [Other]
    end.

truncate_allocate() ->
    File = filename:join(fresh("truncate_allocate"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    [prim_file:write(Fd, "0123456789"), prim_file:position(Fd, 4), prim_file:truncate(Fd),
     prim_file:pread(Fd, 0, 100), prim_file:allocate(Fd, 0, 50), filelib:file_size(File),
     prim_file:allocate(Fd, 0, 0), prim_file:close(Fd),
     begin {ok, R} = prim_file:open(File, [read]), T = prim_file:truncate(R), prim_file:close(R), T end].

advise() ->
    File = filename:join(fresh("advise"), "f"),
    {ok, Fd} = prim_file:open(File, [read, write]),
    [prim_file:advise(Fd, 0, 100, A)
     || A <- [normal, random, sequential, will_need, dont_need, no_reuse, other]].

directories() ->
    Dir = fresh("directories"),
    D = filename:join(Dir, "d"),
    [prim_file:make_dir(D), prim_file:make_dir(D), prim_file:list_dir(D),
     file:write_file(filename:join(D, "a"), ""), file:write_file(filename:join(D, "å"), ""),
     begin {ok, L} = prim_file:list_dir(D), lists:sort(L) end,
     prim_file:del_dir(D), prim_file:delete(D), prim_file:delete(filename:join(D, "a")),
     prim_file:delete(filename:join(D, "a")), prim_file:delete(filename:join(D, "å")),
     prim_file:del_dir(D), prim_file:del_dir(D), prim_file:list_dir(D),
     prim_file:make_dir(filename:join([D, "e", "f"])), prim_file:list_dir("/none"),
     begin
         {ok, Old} = prim_file:get_cwd(),
         ok = prim_file:make_dir(D),
         R = [prim_file:set_cwd(D), element(2, prim_file:get_cwd()) =:= D, prim_file:set_cwd("/none"),
              prim_file:del_dir(D)],
         ok = prim_file:set_cwd(Old),
         R
     end].

links() ->
    Dir = fresh("links"),
    F = filename:join(Dir, "f"),
    L = filename:join(Dir, "l"),
    H = filename:join(Dir, "h"),
    ok = file:write_file(F, "data"),
    ok = prim_file:make_symlink("f", L),
    {ok, #file_info{type = T1}} = prim_file:read_link_info(L),
    {T1, prim_file:read_link(L), prim_file:make_link(F, H), prim_file:delete(L)}.

info() ->
    Dir = fresh("info"),
    F = filename:join(Dir, "f"),
    L = filename:join(Dir, "l"),
    H = filename:join(Dir, "h"),
    ok = file:write_file(F, "data"),
    R = [prim_file:make_symlink("f", L), prim_file:make_symlink("f", L), prim_file:read_link(L),
         prim_file:read_link(F), prim_file:make_link(F, H), prim_file:make_link(F, H)],
    Short = fun({ok, #file_info{size = S, type = T, access = A, links = N, mode = M}}) -> {S, T, A, N, M};
               (Error) -> Error
            end,
    {ok, Fd} = prim_file:open(F, [read]),
    {R, [Short(prim_file:read_file_info(F)), Short(prim_file:read_link_info(L)), Short(prim_file:read_file_info(L)),
         Short(prim_file:read_file_info("/dev/null")), Short(prim_file:read_file_info("/none")),
         Short(prim_file:read_handle_info(Fd)),
         element(2, element(2, prim_file:read_file_info(Dir))) > 0]}.

set_info() ->
    F = filename:join(fresh("set_info"), "f"),
    ok = file:write_file(F, "data"),
    Times = {{2001, 2, 3}, {4, 5, 6}},
    R1 = prim_file:write_file_info(F, #file_info{mode = 8#600, mtime = 981173106, atime = 981173106}, [{time, posix}]),
    {ok, I1} = prim_file:read_file_info(F, [{time, posix}]),
    R2 = file:write_file_info(F, #file_info{mtime = Times, atime = Times}, [{time, universal}]),
    {ok, I2} = file:read_file_info(F, [{time, universal}]),
    {R1, I1#file_info.mode, I1#file_info.mtime, I1#file_info.atime, R2, I2#file_info.mtime,
     file:change_mode(F, 8#7777), (element(2, file:read_file_info(F)))#file_info.mode,
     file:change_mode("/none", 8#600), file:change_time("/none", Times)}.

rename() ->
    Dir = fresh("rename"),
    [A, B, C, D] = [filename:join(Dir, X) || X <- ["a", "b", "c", "d"]],
    ok = file:write_file(A, "a"),
    [prim_file:rename(A, B), prim_file:rename(A, B), prim_file:read_file(B), prim_file:make_dir(C),
     prim_file:rename(B, C), prim_file:rename(C, B), prim_file:make_dir(D),
     file:write_file(filename:join(D, "x"), ""), prim_file:rename(C, D), prim_file:rename(D, C),
     prim_file:rename("/", "/none"), prim_file:rename(D, filename:join(D, "y"))].

read_file() ->
    F = filename:join(fresh("read_file"), "f"),
    Big = binary:copy(<<"0123456789">>, 100000),
    [prim_file:read_file(F), prim_file:write_file(F, ""), prim_file:read_file(F), prim_file:write_file(F, Big),
     prim_file:read_file(F) =:= {ok, Big}, prim_file:read_file(filename:dirname(F)),
     begin {ok, S} = prim_file:read_file("/proc/self/stat"), byte_size(S) > 10 end,
     prim_file:read_file("/dev/null"), prim_file:write_file(filename:dirname(F), "x"),
     prim_file:write_file(F, [a]), file:write_file(F, <<"x">>, [append]), filelib:file_size(F)].

ipread() ->
    F = filename:join(fresh("ipread"), "f"),
    ok = file:write_file(F, <<4:32, 16:32, 100:32, 0:32, "datamore", 5:32, 1000:32, 3:32, 22:32>>),
    {ok, Fd} = prim_file:open(F, [read]),
    [prim_file:ipread_s32bu_p32bu(Fd, P, M)
     || {P, M} <- [{0, 10}, {8, 10}, {8, 100}, {24, 10}, {32, 10}, {40, 10}, {100, 10}, {-1, 10}, {0, infinity},
                   {a, 1}]].

nif_paths() ->
    [outcome(fun() -> prim_file:read_info_nif(P, 1) end)
     || P <- [<<"/none">>, <<"/none", 0, 0>>, <<"/no", 0, "ne", 0>>, <<>>, <<0>>, "x", foo]].

copy() ->
    Dir = fresh("copy"),
    A = filename:join(Dir, "a"),
    B = filename:join(Dir, "b"),
    ok = file:write_file(A, binary:copy(<<"x">>, 200000)),
    [file:copy(A, B), filelib:file_size(B), file:copy(A, B, 10), filelib:file_size(B), file:copy("/none", B)].

consult() ->
    F = filename:join(fresh("consult"), "f"),
    ok = file:write_file(F, "{a,1}. [b,\"å\"].\n% c\n<<1,2>>.\n"),
    [file:consult(F), file:write_file(F, "{a."), file:consult(F), file:consult("/none")].

buffers() ->
    B = prim_buffer:new(),
    Big = binary:copy(<<"ab\n">>, 1000),
    [prim_buffer:size(B), prim_buffer:write(B, [<<"one">>, <<"two">>]), prim_buffer:size(B),
     prim_buffer:find_byte_index(B, $t), prim_buffer:find_byte_index(B, $x), prim_buffer:read(B, 2),
     prim_buffer:write(B, [Big]), prim_buffer:size(B), prim_buffer:read(B, 10), prim_buffer:skip(B, 100),
     prim_buffer:size(B), prim_buffer:find_byte_index(B, $\n), prim_buffer:wipe(B), prim_buffer:size(B),
     [outcome(F) || F <- [fun() -> prim_buffer:peek_head(B) end, fun() -> prim_buffer:skip(B, 1) end,
                          fun() -> prim_buffer:copying_read(B, 1) end, fun() -> prim_buffer:copying_read(B, 0) end,
                          fun() -> prim_buffer:write(B, [a]) end, fun() -> prim_buffer:write(B, a) end,
                          fun() -> prim_buffer:write(B, [<<1:3>>]) end, fun() -> prim_buffer:size(foo) end,
                          fun() -> prim_buffer:find_byte_index(B, 256) end,
                          fun() -> prim_buffer:unlock(B) end, fun() -> prim_buffer:try_lock(B) end,
                          fun() -> prim_buffer:try_lock(B) end, fun() -> prim_buffer:unlock(B) end]],
     prim_buffer:write(B, [binary:copy(<<I>>, 100) || I <- lists:seq(1, 150)]),
     prim_buffer:size(B), erlang:phash2(prim_buffer:read(B, 15000)), prim_buffer:size(B)].

delayed_and_ahead() ->
    F = filename:join(fresh("delayed_and_ahead"), "f"),
    {ok, Fd} = file:open(F, [write, raw, delayed_write]),
    R = [file:write(Fd, integer_to_list(I)) || I <- lists:seq(1, 1000)],
    ok = file:close(Fd),
    {ok, In} = file:open(F, [read, raw, read_ahead, binary]),
    S = [file:read(In, 7) || _ <- lists:seq(1, 20)],
    P = [file:position(In, {cur, 0}), file:read(In, 3), file:position(In, {cur, -1}), file:read(In, 3)],
    file:close(In),
    {lists:usort(R), S, P, filelib:file_size(F)}.

ram_files() ->
    {ok, Fd} = file:open(<<"hello world">>, [ram, read, write, binary]),
    [file:read(Fd, 5), file:position(Fd, {cur, 1}), file:read(Fd, 100), file:read(Fd, 1), file:pwrite(Fd, 2, "XX"),
     file:pread(Fd, 0, 5), file:position(Fd, 20), file:write(Fd, "end"), ram_file:get_size(Fd),
     ram_file:get_file(Fd), file:position(Fd, 4), file:truncate(Fd), ram_file:get_file(Fd), file:position(Fd, eof),
     file:position(Fd, -1), file:pread(Fd, -1, 1), file:sync(Fd), file:close(Fd),
     begin
         {ok, R} = file:open("list", [ram, read]),
         X = [file:read(R, 10), file:write(R, "a"), file:truncate(R)],
         file:close(R),
         X
     end].
