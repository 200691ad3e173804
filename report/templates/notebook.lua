-- A notebook's cells, as cells.lua leaves them -> the report: inputs shown or hidden, captions
-- joined to figures and tables, alt texts for PDF/UA. What only a page can do, page.lua makes of
-- what stands in a Div: code, the ledger and the lottery; what only a paper does, paper.lua: the
-- front page and the ledger.

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
    -- 1000 pixels, as the notebook shows it, are the width of the text; its height is at most 12 cm.
    local _, content = pandoc.mediabag.lookup(image.src)
    local size = pandoc.image.size(content)
    local pixels = tonumber(image.attributes.width) or size.width
    local percent = math.max(1, math.min(100, pixels / 10, 72 * size.width / size.height))
    return pandoc.RawBlock('typst', '#' .. picture(image, (', width: %.0f%%'):format(percent)))
  end
  return pandoc.Plain { image }
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
      joined:insert(after)
      i = i + 2
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

local KINDS = { 'ledger', 'abstract', 'front-page', not typst and 'lottery' or nil }

-- What a cell shows, in a Div of the kind that its tag names.
local function of_kind(blocks, cell)
  for _, kind in ipairs(KINDS) do
    if tagged(cell, kind) then return { pandoc.Div(blocks, { class = kind }) } end
  end
  return blocks
end

function Div(div)
  if not div.classes:includes('cell') then return end
  -- Raw cells wait for their runs.
  if div.classes:includes('raw') or tagged(div, 'remove-cell') then return {} end
  if typst and tagged(div, 'page-only') then return {} end
  if not div.classes:includes('code') then return of_kind(div.content, div) end
  local shown, outputs = pandoc.List(), pandoc.List()
  for i, block in ipairs(div.content) do
    if block.t == 'Div' and block.classes:includes('output') then
      if not block.classes:includes('stderr') then
        outputs:extend(block.content)
      end
    else
      shown:extend(input(block, i == 1 and (tagged(div, 'hide-input') or tagged(div, 'fold-input'))))
    end
  end
  shown:extend(of_kind(join(outputs), div))
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

-- A line breaks neither within a number or N(0, 0.1²), nor before a percent sign.
local function belong_together(before, after)
  if not before or not after or before.t ~= 'Str' or after.t ~= 'Str' then return end
  local grouped = before.text:match('^%D*%d%d?%d?$') and after.text:match('^%d%d%d%f[%D]')
  return grouped or before.text:match('%d$') and after.text:match('^%%') or before.text:match('N%(0,$')
end

local function unbroken(inlines)
  for i, inline in ipairs(inlines) do
    local space = inline.t == 'Space' or inline.t == 'SoftBreak'
    if space and belong_together(inlines[i - 1], inlines[i + 1]) then inlines[i] = pandoc.Str '\u{a0}' end
  end
  return inlines
end

return {
  { Meta = find_lacking },
  { Inlines = unbroken },
  { Div = Div },
  { Para = alone },
  { CodeBlock = typeable, Code = typeable, Str = word },
  { Math = equation, Image = inline_picture },
}
