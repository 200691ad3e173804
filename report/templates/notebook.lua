-- A notebook's cells, as cells.lua leaves them -> the report: inputs shown or hidden, captions
-- joined to figures and tables, alt texts for PDF/UA. What only a page can do, page.lua makes of
-- what stands in a Div: code, the ledger and the lottery.

local typst = FORMAT == 'typst'

local function tagged(cell, tag)
  return (cell.attributes.tags or ''):find('"' .. tag .. '"', 1, true)
end

-- The caption of a figure or table: a paragraph that begins with its bold number.
local function number_of(block)
  local first = block and block.t == 'Para' and block.content[1]
  local number = first and first.t == 'Strong' and pandoc.utils.stringify(first)
  if not number then return end
  local kind, rest = number:match('^(%a+) (A?%d+)%.$')
  if kind == 'Figure' or kind == 'Table' then
    return kind, (kind .. '-' .. rest):lower()
  end
end

local function quoted(text) return (text:gsub('\\', '\\\\'):gsub('"', '\\"')) end

local function picture(image, width)
  local source = 'image("media/%s"%s, alt: "%s")'
  return source:format(quoted(image.src), width, quoted(image.attributes.alt))
end

local function image_block(paragraph)
  local image = paragraph.content[1]
  if typst then
    -- 900 pixels, as the notebook shows it, are the width of the text.
    local _, content = pandoc.mediabag.lookup(image.src)
    local pixels = tonumber(image.attributes.width) or pandoc.image.size(content).width
    local percent = math.max(1, math.min(100, pixels / 9))
    return pandoc.RawBlock('typst', '#' .. picture(image, (', width: %.0f%%'):format(percent)))
  end
  return pandoc.Plain { image }
end

local CHARACTERS = 108 -- of a table's text, about, in the width of a page

-- In characters of mean width; capitals are wider.
local function width_of(word) return utf8.len(word) + 0.3 * select(2, word:gsub('%u', '')) end

-- The lengths of a column's longest word, its longest text and its mean text, with the gap between.
local function lengths(cells)
  local word, most, sum = 0, 0, 0
  for _, cell in ipairs(cells) do
    local text = pandoc.utils.stringify(cell.contents)
    most, sum = math.max(most, utf8.len(text)), sum + utf8.len(text)
    for part in text:gmatch('[^%s-]+-?') do word = math.max(word, width_of(part)) end
  end
  return { word = word + 2, most = most + 2, mean = sum / #cells }
end

local function column(rows, number)
  local cells = pandoc.List()
  for _, row in ipairs(rows) do cells:insert(row.cells[number]) end
  return cells
end

-- Columns that do not fit side by side get room for their longest word or,
-- if more, for as many lines of their mean text as the others, half a word of each being lost.
local function fitted(found)
  if not typst then return { found } end
  local columns, natural, total, share = {}, 0, 0, 0
  local body = found.bodies[1] and found.bodies[1].body or {}
  local rows = { found.head.rows[1], table.unpack(body) }
  for _, row in ipairs(rows) do -- cells that span columns have no width of one
    if #row.cells ~= #found.colspecs then return { found } end
  end
  for number in ipairs(found.colspecs) do
    columns[number] = lengths(column(rows, number))
    natural = natural + columns[number].most
  end
  local function width(of) return math.max(of.word, of.word / 2 + share * of.mean) end
  while natural > CHARACTERS and total < CHARACTERS do
    share, total = share + 0.01, 0
    for _, of in ipairs(columns) do total = total + width(of) end
  end
  for number, of in ipairs(columns) do
    if total > 0 then found.colspecs[number][2] = width(of) / total end
  end
  if #body <= 15 then return { found } end
  local open = '#[#show figure.where(kind: table): set block(breakable: true)'
  return { pandoc.RawBlock('typst', open), found, pandoc.RawBlock('typst', ']') }
end

local function is_image(block)
  return block and block.t == 'Para' and #block.content == 1 and block.content[1].t == 'Image'
end

-- Join `image, caption` and `caption, table` into one figure each.
local function join(blocks)
  local joined, i = pandoc.List(), 1
  while i <= #blocks do
    local block, after = blocks[i], blocks[i + 1]
    local kind, id = number_of(is_image(block) and after or block)
    local caption = kind and { pandoc.Plain((is_image(block) and after or block).content) }
    if kind == 'Figure' and is_image(block) then
      joined:insert(pandoc.Figure({ image_block(block) }, { long = caption }, pandoc.Attr(id)))
      i = i + 2
    elseif kind == 'Table' and after and after.t == 'Table' then
      after.caption = { long = caption }
      after.attr = pandoc.Attr(id, { 'data' })
      joined:extend(fitted(after))
      i = i + 2
    elseif block.t == 'Table' then
      joined:extend(fitted(block))
      i = i + 1
    else
      joined:insert(is_image(block) and image_block(block) or block)
      i = i + 1
    end
  end
  return joined
end

local function input(block, hidden)
  if typst then return hidden and {} or { block } end
  return { pandoc.Div({ block }, { class = hidden and 'input hidden' or 'input' }) }
end

-- The outputs of a cell that is tagged so, for page.lua.
local function widget(outputs, cell)
  for _, kind in ipairs { 'ledger', 'lottery' } do
    if not typst and tagged(cell, kind) then return { pandoc.Div(outputs, { class = kind }) } end
  end
  return outputs
end

function Div(div)
  if not div.classes:includes('cell') then return end
  -- Raw cells wait for their runs.
  if div.classes:includes('raw') or tagged(div, 'remove-cell') then return {} end
  if not div.classes:includes('code') then return div.content end
  local shown, outputs = pandoc.List(), pandoc.List()
  for i, block in ipairs(div.content) do
    if block.t == 'Div' and block.classes:includes('output') then
      if not block.classes:includes('stderr') then
        outputs:extend(block.content)
      end
    else
      shown:extend(input(block, i == 1 and tagged(div, 'hide-input')))
    end
  end
  shown:extend(widget(join(outputs), div))
  return shown
end

-- PDF/UA wants an alternative text for every formula: its TeX.
local function equation(formula)
  if not typst then return end
  local body = pandoc.write(pandoc.Pandoc { pandoc.Plain { formula } }, 'typst'):gsub('%s+$', '')
  local alt = formula.text:gsub('%s+', ' '):gsub('\\', '\\\\'):gsub('"', '\\"')
  local block = formula.mathtype == 'DisplayMath' and 'true' or 'false'
  local source = string.format('#math.equation(block: %s, alt: "%s", %s)', block, alt, body)
  return pandoc.RawInline('typst', source)
end

-- A lead such as "What we see." stays on the page of the list that it leads to.
local function keep_leads(blocks)
  for i = #blocks - 1, 1, -1 do
    local lead, list = blocks[i], blocks[i + 1]
    if typst and lead.t == 'Para' and list.t:match('List$') then
      blocks[i] = pandoc.RawBlock('typst', '#block(sticky: true)[')
      blocks:insert(i + 1, lead)
      blocks:insert(i + 2, pandoc.RawBlock('typst', ']'))
    end
  end
  return blocks
end

-- Pictures amid a text; those that stand alone became blocks.
local function inline_picture(image)
  if typst then return pandoc.RawInline('typst', '#box(' .. picture(image, '') .. ')') end
end

local function alone(paragraph)
  if is_image(paragraph) then return image_block(paragraph) end
end

-- A line of some thousand characters without a space is more than typst can take, and a word of as
-- many more than pandoc can write.
local LONG, PIECE = ('%S'):rep(1000) .. '+', utf8.charpattern:rep(39)

local lacking = {} -- characters that no font of the PDF has

local function find_lacking(metadata)
  local found = pandoc.utils.stringify(metadata.lacking or '')
  for character in found:gmatch(utf8.charpattern) do lacking[character] = '\u{fffd}' end
end

local function typeable(code)
  if not typst then return end
  code.text = code.text:gsub(utf8.charpattern, lacking):gsub(LONG, function(token)
    return (token:gsub(PIECE, '%0\u{200b}'))
  end)
  return code
end

local function word(element)
  if not typst then return end
  local pieces, text = pandoc.Inlines {}, element.text:gsub(utf8.charpattern, lacking)
  if #text < 1000 then return pandoc.Str(text) end
  for piece in text:gsub(PIECE, '%0 '):gmatch('%S+') do
    pieces:insert(pandoc.Str(piece .. '\u{200b}'))
  end
  return pieces
end

return {
  { Meta = find_lacking },
  { Div = Div },
  { Para = alone },
  { CodeBlock = typeable, Code = typeable, Str = word },
  { Math = equation, Image = inline_picture, Blocks = keep_leads },
}
