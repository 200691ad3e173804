-- The report's blocks, as front.lua leaves them -> what only a paper does: columns as wide as their
-- texts need, a ledger that fits, small figures side by side, leads beside lists.

local text_of = pandoc.utils.stringify

local function typst(text) return pandoc.RawBlock('typst', text) end

local function between(open, blocks, close)
  return pandoc.Blocks { typst(open), table.unpack(blocks) } .. { typst(close) }
end

-- Tables --------------------------------------------------------------------------------------

local CHARACTERS = 108 -- of a table's text, about, in the width of a page
local BREAKABLE = 1500 -- characters of a table that need not stand on one page

local function rows_of(found)
  local rows = pandoc.List(found.head.rows):clone()
  for _, body in ipairs(found.bodies) do rows:extend(body.body) end
  return rows
end

-- In characters of mean width; capitals are wider.
local function width_of(word) return utf8.len(word) + 0.3 * select(2, word:gsub('%u', '')) end

-- The lengths of a column's longest word, its longest text with the title in three lines or in one,
-- its mean text, and all, with the gap between columns.
local function lengths(rows, number)
  local word, most, title, sum = 0, 0, 0, 0
  for place, row in ipairs(rows) do
    local text = text_of(row.cells[number].contents)
    for part in text:gmatch('[^%s-]+-?') do word = math.max(word, width_of(part)) end
    if place == 1 then title = utf8.len(text) else most = math.max(most, utf8.len(text)) end
    sum = sum + utf8.len(text)
  end
  most = math.max(most, word, title / 3)
  local titled = math.max(most, title)
  return { word = word + 2, most = most + 2, titled = titled + 2, mean = sum / #rows, sum = sum }
end

-- An interval stands on one line.
local function unbroken(inlines)
  local inside = false
  for number, inline in ipairs(inlines) do
    local text = inline.t == 'Str' and inline.text or ''
    inside = inside or text:match('^%(%+%d') or text:match('^%(−%d')
    if inside and (inline.t == 'Space' or inline.t == 'SoftBreak') then inlines[number] = pandoc.Str '\u{a0}' end
    if text:match '%)' then inside = false end -- a comma may follow
  end
  return inlines
end

-- Columns that do not fit side by side have titles of several lines or, if they do not fit so
-- either, room for their longest word or, if more, for as many lines of their mean text as the
-- others, half a word of each being lost.
local function fitted(found)
  found = found:walk { Inlines = unbroken }
  local rows, columns, share = rows_of(found), pandoc.List(), 0
  for _, row in ipairs(rows) do -- cells that span columns have no width of one
    if #row.cells ~= #found.colspecs then return { found } end
  end
  for number in ipairs(found.colspecs) do columns:insert(lengths(rows, number)) end
  local function total(length)
    local sum = 0
    for _, of in ipairs(columns) do sum = sum + length(of) end
    return sum
  end
  local function titled(of) return of.titled end
  local function most(of) return of.most end
  local function even(of) return math.max(of.word, of.word / 2 + share * of.mean) end
  local length = total(most) > CHARACTERS and even or most
  while length == even and total(even) < CHARACTERS do share = share + 0.01 end
  if total(titled) > CHARACTERS then
    for number, of in ipairs(columns) do found.colspecs[number][2] = length(of) / total(length) end
  end
  if total(function(of) return of.sum end) < BREAKABLE then return { found } end
  local open = '#[#show figure.where(kind: table): set block(breakable: true)'
  return between(open, { found }, ']')
end

-- The ledger ----------------------------------------------------------------------------------

local LEFT_OUT = { section = true, ['what is tested'] = true, prediction = true } -- the page has it

local function titles(found)
  local first = found.head.rows[1]
  return first and first.cells:map(function(cell) return text_of(cell.contents) end) or pandoc.List()
end

-- The table of amendments, by the names of the rows that it amends.
local function amendments(blocks)
  local amended = {}
  blocks:walk { Table = function(found)
    if found.identifier == '' or not titles(found):includes('amendment') then return end
    for _, row in ipairs(found.bodies[1].body) do
      amended[text_of(row.cells[1].contents)] = '#' .. found.identifier
    end
  end }
  return amended
end

local function compact(amended)
  return function(found)
    local names, rows = titles(found), rows_of(found)
    for _, row in ipairs(rows) do
      local name = row.cells[1].contents
      local where = amended[text_of(name)]
      if where then name[1].content:insert(pandoc.Link('†', where)) end
    end
    for number = #names, 1, -1 do
      if LEFT_OUT[names[number]] then
        found.colspecs:remove(number)
        for _, row in ipairs(rows) do row.cells:remove(number) end
      end
    end
    return found
  end
end

-- Figures and leads ---------------------------------------------------------------------------

local NARROW = 70 -- percent of the text's width

local function is_narrow(block)
  if not block or block.t ~= 'Figure' then return false end
  local width = block.content[1].t == 'RawBlock' and block.content[1].text:match(', width: (%d+)%%')
  return width and tonumber(width) <= NARROW
end

local function widened(figure)
  figure.content[1].text = figure.content[1].text:gsub(', width: %d+%%', ', width: 100%%')
  return figure
end

local function side_by_side(blocks)
  local result, i = pandoc.Blocks {}, 1
  while i <= #blocks do
    local left, right = blocks[i], blocks[i + 1]
    if is_narrow(left) and is_narrow(right) then
      result:extend(between('#grid(columns: (1fr, 1fr), gutter: 1.5em, [', { widened(left) }, '], ['))
      result:extend { widened(right), typst('])') }
      i = i + 2
    else
      result:insert(left)
      i = i + 1
    end
  end
  return result
end

local function is_formula(block)
  return block.t == 'Para' and #block.content == 1 and block.content[1].t == 'Math'
end

-- A lead stays on the page of what it leads to: a list, a formula, or what follows its colon.
local function keep_leads(blocks)
  for i = #blocks - 1, 1, -1 do
    local lead, following = blocks[i], blocks[i + 1]
    local leads = following.t:match('List$') or is_formula(following) or text_of(lead):match(':$')
    if lead.t == 'Para' and leads then
      blocks:remove(i)
      for offset, block in ipairs(between('#block(sticky: true)[', { lead }, ']')) do
        blocks:insert(i + offset - 1, block)
      end
    end
  end
  return blocks
end

function Pandoc(document)
  local small = compact(amendments(document.blocks))
  document.blocks = document.blocks:walk {
    Div = function(div)
      if div.identifier == 'refs' then return between('#[#set text(0.85em)', { div }, ']') end
      if not div.classes:includes('ledger') then return end
      return between('#[#show table: set text(7.5pt)', div.content:walk { Table = small }, ']')
    end,
  }
  document.blocks = document.blocks:walk { Table = fitted }
  document.blocks = keep_leads(side_by_side(document.blocks))
  return document
end
