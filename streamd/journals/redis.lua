-- One step of streamd's journal: several requests, carried out in order and at once.
--
-- KEYS[1]  the prefix of all keys
-- ARGV     the log's life, the node's time (ms, and seconds), the node, MAX_RECORDED, then the
--          requests: each is its name and the arguments that the function of that name takes.
-- Returns  an answer for each request.
--
-- A request checks everything that could refuse it before it writes: Redis undoes nothing.
-- Anybody can write into Redis.  What others wrote is passed over or taken away, wherever it would make
-- every later step fail.
--
-- The script is long because Redis runs one script at a time, and has no modules.

local P = KEYS[1]
local FORMAT = 1           -- of what is stored; 0.1.0 wrote the same without the number
local UNIT = 1048576       -- positions within one millisecond, see update.py
local LATEST = 1e15        -- milliseconds that no position reaches
local LOG = 20000          -- entries of the log that are kept: a node that missed more reads histories
local MANY = 4000          -- arguments of one command: the stack of Lua has room for 8000
local MAX_RECORDED = tonumber(ARGV[5])

local call = redis.call
local now_ms, now, node = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local p = 6

local function take()
  p = p + 1
  return ARGV[p - 1]
end

local time = call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Keys of another type are set aside when a node opens the log.
if ARGV[1] == '' then
  local types = {
    about = 'hash', log = 'stream', seqs = 'hash', state = 'hash', places = 'hash', fences = 'hash',
    rollups = 'set',
  }
  for name, wanted in pairs(types) do
    local found = call('TYPE', P .. name).ok
    if found ~= 'none' and found ~= wanted then
      redis.pcall('RENAME', P .. name, P .. 'damaged:' .. name)
    end
  end
end

local function whole(text, most)  -- 0 for what no node wrote: positions of it would be refused for ever
  local number = tonumber(text) or 0
  if number >= 0 and number < most and number % 1 == 0 then return number end
  return 0
end

local function digits(number)  -- '%d' takes a third of the time, but has 32 bits on some machines
  return string.format(number < 1e9 and '%d' or '%.0f', number)
end

local about = call(
  'HMGET', P .. 'about', 'life', 'ms', 'i', 'recorded', 'horizon_ms', 'horizon_i', 'format')
local life, ms, i = about[1], whole(about[2], LATEST), whole(about[3], UNIT)
local recorded = whole(about[4], 2^53)
if life and not (life:match('^%d+$') and #life <= 13) then life = false end

-- Positions: <ms>-<life * UNIT + i>.  The sum has up to 63 bits and a number here 53: two halves.

local function halves(life_text)
  local low_life, high_life = tonumber(life_text:sub(-6)), tonumber(life_text:sub(1, -7)) or 0
  -- life * UNIT = high_life * 1e6 * UNIT + low_life * UNIT, in units of 1e9 and the rest
  local low = low_life * UNIT
  local middle = high_life * UNIT            -- times 1e6
  local high = math.floor(middle / 1000)
  low = low + (middle % 1000) * 1000000
  return high + math.floor(low / 1e9), low % 1e9
end

local high, low
local passed = false         -- whether this step looked at what others appended
local head, head_ms, head_upper  -- how the last position begins: mostly like the next one

local function position(at_ms, at_i)
  local upper, rest = high, low + at_i
  if rest >= 1e9 then upper, rest = upper + 1, rest - 1e9 end
  if upper == 0 then return string.format('%.0f-%d', at_ms, rest) end
  if at_ms ~= head_ms or upper ~= head_upper then
    head_ms, head_upper = at_ms, upper
    head = string.format('%.0f-%.0f', at_ms, upper)
  end
  return head .. string.format('%09d', rest)  -- to format all of it takes 0.4 µs more
end

local function parts(id)
  local at_ms, n = id:match('(%d+)-(%d+)')
  local upper, lower = tonumber(n:sub(1, -10)) or 0, tonumber(n:sub(-9))
  return tonumber(at_ms), ((upper % UNIT) * (1e9 % UNIT) + lower) % UNIT
end

local function field(entry, name)
  for k = 1, #entry[2], 2 do
    if entry[2][k] == name then return entry[2][k + 1] end
  end
end

-- Appending to a stream, which others may have made something else, or given a last id that no
-- position is after.  Then it begins anew: nodes see that they missed something, and read the histories.
local function add(key, ...)
  local done = redis.pcall('XADD', key, ...)
  if type(done) == 'table' and done.err then
    local mendable = done.err:find('WRONGTYPE') or done.err:find('smaller') or done.err:find('exhausted')
    if not mendable then error(done.err) end
    call('DEL', key)
    call('XADD', key, ...)
  end
end

local function mark()  -- an entry by which nodes know the life of the log
  call('HSET', P .. 'about', 'life', life, 'ms', string.format('%.0f', ms), 'i', i)
  add(P .. 'log', position(ms, i), 'life', life)
end

-- Positions go on after the newest entry of the log, whoever wrote it; true if others did.
local function pass()
  local newest = call('XREVRANGE', P .. 'log', '+', '-', 'COUNT', 1)[1]
  if not newest or newest[1] == position(ms, i) then return false end
  local newest_ms = parts(newest[1])
  if newest_ms < ms then return false end
  if newest_ms + 1 < LATEST then ms, i = newest_ms + 1, 0 else call('DEL', P .. 'log') end
  return true
end

-- Opening: is it the log that this node knows?

local function begin(drawn)
  high, low = halves(drawn)
  pass()
  ms, i, life = math.max(ms + 1, now_ms), 0, drawn  -- later than any position that a node knows
  mark()
end

local function is_lost(last)
  if #call('XRANGE', P .. 'log', last, last) > 0 then return false end
  local first = call('XRANGE', P .. 'log', '-', '+', 'COUNT', 1)[1]
  if not first then return true end
  local first_ms, first_i = parts(first[1])
  local last_ms, last_i = parts(last)
  return first_ms < last_ms or (first_ms == last_ms and first_i < last_i)
end

if ARGV[1] == '' then
  local drawn, known, last = take(), take(), take()
  local said = 'same'
  if (tonumber(about[7]) or 0) > FORMAT then return {'newer', about[7]} end
  if not life then
    said = known == '' and 'new' or 'gone'
    begin(drawn)
  elseif known == life and is_lost(last) then
    said = 'lost'
    begin(drawn)
  elseif known ~= life then
    said = 'other'
  elseif #call('XRANGE', P .. 'log', last, last) == 0 then
    said = 'missed'
  end
  high, low = halves(life)
  local written = redis.pcall('HSET', P .. 'about', 'node', node, 'format', FORMAT)
  local refused = type(written) == 'table' and written.err or ''
  if said == 'same' then return {said, life, '', '0', '0', refused, {}} end
  if refused == '' and pass() then mark() end
  local horizon_ms, horizon_i = whole(about[5], LATEST), whole(about[6], UNIT)
  return {
    said, life, position(ms, i),
    string.format('%.0f', horizon_ms), string.format('%.0f', horizon_i),
    refused, call('HGETALL', P .. 'seqs'),
  }
end

if life ~= ARGV[1] then return redis.error_reply('LIFE there is another log') end
high, low = halves(life)

-- Small records that expire: of each kind a hash, and a sorted set that says when.

local function ensure(key, wanted)
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= wanted then call('DEL', key) end
end

local function open_kind(kind)
  ensure(P .. 'records:' .. kind, 'hash')
  ensure(P .. 'expires:' .. kind, 'zset')
  if kind == 'key' then ensure(P .. 'shares', 'hash') end
end

local function weight(kept)
  return tonumber(kept:match('^%S+ (%d+)') or 0)
end

local function publisher(name)
  return name:match('^(%S+) ') or ''
end

-- A node of 0.1.0 counts no shares.  So a share may be too large, but is never larger than the total.
local function share(name)
  return math.min(tonumber(call('HGET', P .. 'shares', publisher(name))) or 0, recorded)
end

local function note(name, change)
  local held = math.max(0, share(name) + change)
  if held == 0 then call('HDEL', P .. 'shares', publisher(name))
  else call('HSET', P .. 'shares', publisher(name), string.format('%.0f', held)) end
  recorded = math.max(0, recorded + change)
  call('HSET', P .. 'about', 'recorded', string.format('%.0f', recorded))
end

local function drop(kind, name)
  if kind == 'key' then
    local kept = call('HGET', P .. 'records:key', name)
    if kept then note(name, -weight(kept)) end
  end
  call('HDEL', P .. 'records:' .. kind, name)
  call('ZREM', P .. 'expires:' .. kind, name)
end

local function expire(kind)
  open_kind(kind)
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'expires:' .. kind, '-inf', clock)) do
    drop(kind, name)
  end
end

local function keep(kind, name, data, lasts)
  call('HSET', P .. 'records:' .. kind, name, data)
  if lasts == '' then
    call('ZREM', P .. 'expires:' .. kind, name)
  else
    call('ZADD', P .. 'expires:' .. kind, clock + tonumber(lasts), name)
  end
end

-- The requests.

local ask = {}

local function newest_fence(lease)
  return tonumber(call('HGET', P .. 'fences', lease)) or 0
end

local function is_outrun(lease, number)  -- whether another node has held the lease since
  return lease ~= '' and tonumber(number) < newest_fence(lease)
end

local function receipt(key, digest)
  expire('key')
  local kept = call('HGET', P .. 'records:key', key)
  if not kept or not kept:match('^%S+ %d+ %[') then return nil end
  if kept:match('^%S+') ~= digest then return {'conflict'} end
  return {'again', kept:match('^%S+ %d+ (.*)')}
end

-- Appends that follow each other read and write hashes together: a command in a script takes some
-- 1 µs, and one more field of a command 0.2.

local seqs = {}              -- stream -> its last seq
local state = {}             -- stream -> its newest value; empty for a tombstone

local function look_up(first, last)
  local names = {}
  for k = first, last, 3 do
    local name = ARGV[k]
    if not seqs[name] then
      seqs[name] = 0
      names[#names + 1] = name
    end
    if #names == MANY or (k + 2 == last and #names > 0) then
      for n, seq in ipairs(call('HMGET', P .. 'seqs', unpack(names))) do
        seqs[names[n]] = whole(seq, 2^53 - 1)
      end
      names = {}
    end
  end
end

local function set(key, fields)
  for first = 1, #fields, MANY do
    call('HSET', key, unpack(fields, first, math.min(first + MANY - 1, #fields)))
  end
end

-- Write to the hashes what the appends before this request have committed.
local function settle()
  if not next(state) then
    seqs = {}  -- the next request may change what was looked up
    return
  end
  local counted, valued = {}, {}
  for name, value in pairs(state) do
    counted[#counted + 1] = name
    counted[#counted + 1] = digits(seqs[name])
    if value == '' then
      call('HDEL', P .. 'state', name)
    else
      valued[#valued + 1] = name
      valued[#valued + 1] = value
    end
  end
  seqs, state = {}, {}
  set(P .. 'seqs', counted)
  call('HSET', P .. 'about', 'ms', digits(ms), 'i', digits(i))
  call('XTRIM', P .. 'log', 'MAXLEN', '~', LOG, 'LIMIT', 0)
  set(P .. 'state', valued)
end

-- The positions of one append follow each other: its answer has only the first one.
local function make_room(count)
  if not passed then
    pass()
    passed = true
  end
  if now_ms > ms then ms, i = now_ms, -1
  elseif i + count >= UNIT then ms, i = ms + 1, -1 end
end

local function commit(name, value, at_time, by)
  i = i + 1
  local at = position(ms, i)
  local seq = seqs[name] + 1
  local seq_text = digits(seq)
  add(P .. 'log', at, 'stream', name, 'seq', seq_text, 'time', at_time, 'value', value, 'by', by)
  seqs[name], state[name] = value == '' and 0 or seq, value
  add(P .. 'history:' .. name, at, 'seq', seq_text, 'time', at_time, 'value', value)
  return seq, at
end

function ask.append()
  local key, digest, lasts = take(), take(), take()
  local source, expected, place = take(), take(), take()
  local lease, number = take(), take()
  local count = tonumber(take())
  local first = p
  p = p + 3 * count
  if key ~= '' then
    local known = receipt(key, digest)
    if known then return known end
    local left = MAX_RECORDED - recorded - 1 - count
    if share(key) + 1 + count > left then return {'full'} end
  end
  if is_outrun(lease, number) then return {'outrun', 'lease ' .. lease} end
  look_up(first, p - 1)
  if source ~= '' then
    local held = call('HGET', P .. 'places', source)
    if (held and '=' .. held or '') ~= expected then return {'outrun', 'source ' .. source} end
    call('HSET', P .. 'places', source, place)
  end
  if lease ~= '' then call('HSET', P .. 'fences', lease, number) end
  local by = lease == '' and node or node .. ':' .. number
  local done, said, committed = {'done', ''}, {}, 0
  for k = first, p - 1, 3 do
    local name, value, at_time, seq, at = ARGV[k], ARGV[k + 1], ARGV[k + 2], 0, ''
    -- No stream would ever take away the tombstone of a stream that is not there.
    if value ~= '' or seqs[name] > 0 then
      if at_time == '' then at_time = now end
      if committed == 0 then make_room(count) end
      seq, at = commit(name, value, at_time, by)
      committed = committed + 1
      if committed == 1 then done[2] = at end
      if key ~= '' then
        said[committed] = string.format('["%s",%.0f,"%s",%s]', name, seq, at, at_time)
      end
    end
    done[#done + 1] = seq
  end
  if key ~= '' then
    local kept = digest .. ' ' .. (1 + committed) .. ' [' .. table.concat(said, ',') .. ']'
    keep('key', key, kept, lasts)
    note(key, 1 + committed)
  end
  return done
end

function ask.receipt()
  return receipt(take(), take()) or {'none'}
end

function ask.place()
  return call('HGET', P .. 'places', take())
end

local function put(kind, name, data, lasts)
  if lasts ~= '' and tonumber(lasts) <= 0 then drop(kind, name)
  else keep(kind, name, data, lasts) end
end

function ask.put()
  local kind, name, data, lasts = take(), take(), take(), take()
  local lease, number = take(), take()
  if is_outrun(lease, number) then return {'outrun', 'lease ' .. lease} end
  open_kind(kind)
  put(kind, name, data, lasts)
  return 1
end

-- Put a record if the stored one is the expected one: '=' and its bytes, or empty for none.
function ask.swap()
  local kind, name, expected, data, lasts = take(), take(), take(), take(), take()
  expire(kind)
  local held = call('HGET', P .. 'records:' .. kind, name)
  if (held and '=' .. held or '') ~= expected then return 0 end
  put(kind, name, data, lasts)
  return 1
end

function ask.records()
  local kind = take()
  expire(kind)
  return call('HGETALL', P .. 'records:' .. kind)
end

function ask.acquire()
  local lease, lasts = take(), take()
  ensure(P .. 'lease:' .. lease, 'string')
  local holder = call('GET', P .. 'lease:' .. lease)
  if holder and holder ~= node then return false end
  call('SET', P .. 'lease:' .. lease, node, 'PX', lasts)
  local number = newest_fence(lease)
  if not holder then
    -- By Redis's clock, so that it is above all numbers that Redis gave and has lost.
    number = math.max(number + 1, clock)
    call('HSET', P .. 'fences', lease, string.format('%.0f', number))
  end
  return number
end

function ask.release()
  local lease = take()
  ensure(P .. 'lease:' .. lease, 'string')
  if call('GET', P .. 'lease:' .. lease) == node then call('DEL', P .. 'lease:' .. lease) end
  return 1
end

-- Drop updates before the first that is needed, and tombstones up to the horizon.
function ask.trim()
  local horizon_ms, horizon_i, size = tonumber(take()), tonumber(take()), tonumber(take())
  local known_ms, known_i = whole(about[5], LATEST), whole(about[6], UNIT)
  if horizon_ms > known_ms or (horizon_ms == known_ms and horizon_i > known_i) then
    known_ms, known_i = horizon_ms, horizon_i
    call('HSET', P .. 'about', 'horizon_ms', string.format('%.0f', known_ms), 'horizon_i', known_i)
  end
  for _ = 1, tonumber(take()) do
    local name, first_ms, first_i = take(), take(), tonumber(take())
    local history = P .. 'history:' .. name
    ensure(history, 'stream')
    -- In a former life an entry had another id.  No two lives share a millisecond.
    local first = position(first_ms, first_i)
    if #call('XRANGE', history, first, first) == 0 then first = first_ms end
    call('XTRIM', history, 'MINID', first)
    local oldest = call('XRANGE', history, '-', '+', 'COUNT', 1)[1]
    if oldest and field(oldest, 'value') == '' then
      local at_ms, at_i = parts(oldest[1])
      if at_ms < known_ms or (at_ms == known_ms and at_i <= known_i) then
        call('XDEL', history, oldest[1])
      end
    end
    if call('XLEN', history) == 0 then
      call('DEL', history)
      call('HDEL', P .. 'seqs', name)
    end
  end
  if (call('MEMORY', 'USAGE', P .. 'log') or 0) > size then
    call('XTRIM', P .. 'log', 'MAXLEN', math.floor(call('XLEN', P .. 'log') / 2))
  end
  return 1
end

-- Store parts of long histories under a lease: for each its stream, its number, and its bytes; empty
-- deletes it.
function ask.store()
  local lease, number = take(), take()
  local count = tonumber(take())
  if is_outrun(lease, number) then
    p = p + 3 * count
    return {'outrun', 'lease ' .. lease}
  end
  for _ = 1, count do
    local name, part, data = take(), take(), take()
    local key = P .. 'rollup:' .. name
    ensure(key, 'hash')
    if data ~= '' then
      call('HSET', key, part, data)
      call('SADD', P .. 'rollups', name)
    elseif call('HDEL', key, part) == 1 and call('EXISTS', key) == 0 then
      call('SREM', P .. 'rollups', name)
    end
  end
  return 1
end

function ask.stored()
  local key = P .. 'rollup:' .. take()
  ensure(key, 'hash')
  return call('HGETALL', key)
end

-- Write something, to know whether Redis takes it.
function ask.probe()
  call('HSET', P .. 'about', 'node', node)
  return 1
end

local function answer_all()
  local answers = {}
  while p <= #ARGV do
    local request = take()
    if request ~= 'append' then settle() end
    local answer = ask[request]()
    answers[#answers + 1] = answer == nil and false or answer
  end
  return answers
end

local done, answers = pcall(answer_all)
settle()  -- also after an error: what is in the log is counted
if not done then error(answers, 0) end
return answers
