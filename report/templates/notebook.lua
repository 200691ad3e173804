-- A notebook as pandoc reads it (--ipynb-output=all) -> the report: inputs shown or hidden, one
-- representation of each output, captions joined to their figures and tables, alt texts for PDF/UA.

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

-- Of the alternatives that an output has, the richest.
local function best(output)
  local found = {}
  for _, block in ipairs(output.content) do
    if block.t == 'Para' and #block.content == 1 and block.content[1].t == 'Image' then
      found.image = block
    elseif block.t == 'RawBlock' and block.format == 'html' then
      found.html = (found.html or '') .. block.text
    elseif block.t == 'RawBlock' and block.format == 'markdown' then
      found.prose = pandoc.read(block.text, 'markdown').blocks
    elseif block.t == 'CodeBlock' then
      found.text = block
    end
  end
  if found.image then return { found.image } end
  if found.prose then return found.prose end
  if found.html then return pandoc.read(found.html, 'html').blocks end
  return { found.text }
end

local function image_block(paragraph)
  local image = paragraph.content[1]
  local alt = image.attributes.alt or pandoc.utils.stringify(image.caption)
  if typst then
    local quoted = alt:gsub('\\', '\\\\'):gsub('"', '\\"')
    -- 900 pixels, as the notebook shows it, are the width of the text.
    local width = math.min(100, (tonumber(image.attributes.width) or 900) / 9)
    local source = '#image("media/%s", width: %.0f%%, alt: "%s")'
    source = string.format(source, image.src, width, quoted)
    return pandoc.RawBlock('typst', source)
  end
  local attributes = { alt = alt, width = image.attributes.width }
  return pandoc.Plain { pandoc.Image({}, image.src, '', pandoc.Attr('', {}, attributes)) }
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
  local body, columns, natural, total, share = found.bodies[1].body, {}, 0, 0, 0
  local rows = { found.head.rows[1], table.unpack(body) }
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
      joined:extend(typst and fitted(after) or { pandoc.Div({ after }, pandoc.Attr('', { 'scroll' })) })
      i = i + 2
    else
      joined:insert(is_image(block) and image_block(block) or block)
      i = i + 1
    end
  end
  return joined
end

function Div(div)
  if not div.classes:includes('cell') or tagged(div, 'remove-cell') then
    return div.classes:includes('cell') and {} or nil
  end
  if div.classes:includes('raw') then return {} end -- cells that wait for their runs
  if not div.classes:includes('code') then return div.content end
  local shown, outputs = pandoc.List(), pandoc.List()
  for i, block in ipairs(div.content) do
    if block.t == 'Div' and block.classes:includes('output') then
      if not block.classes:includes('stderr') then
        outputs:extend(block.classes:includes('stream') and block.content or best(block))
      end
    elseif i > 1 or not tagged(div, 'hide-input') then
      shown:insert(block)
    end
  end
  shown:extend(join(outputs))
  return shown
end

-- `aligned` and its kin stand alone in a notebook; pandoc wants them inside a formula.
local function environment(raw)
  local name, body = raw.text:match('^\\begin{(%a+)%*?}(.*)\\end{%1%*?}%s*$')
  if raw.format ~= 'tex' or not name then return end
  local inner = name == 'equation' and body or '\\begin{aligned}' .. body .. '\\end{aligned}'
  return pandoc.Math('DisplayMath', inner)
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

-- A link to another notebook, or to a heading in it, is a link to its section of the report.
local function link(element)
  local notebook, heading = element.target:match('^(%w%d_[%w_]+)%.ipynb#?(.*)')
  if notebook and IN_REPORT then
    element.target = '#nb-' .. notebook .. (heading == '' and '' or '--' .. heading:lower())
    return element
  end
end

local function report_metadata(metadata)
  IN_REPORT = metadata.jupyter ~= nil and metadata.jupyter.notebooks ~= nil
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

-- Two notebooks may have a section of the same name.
local function distinct_sections(document)
  local notebook = ''
  for _, block in ipairs(document.blocks) do
    if block.t == 'Header' and block.level == 1 then
      notebook = block.identifier
    elseif block.t == 'Header' then
      block.identifier = notebook .. '--' .. block.identifier
    end
  end
  return document
end

return {
  { Meta = report_metadata },
  { Div = Div },
  { RawInline = environment, RawBlock = function(raw)
      local formula = environment(raw)
      return formula and pandoc.Para { formula }
    end },
  { Math = equation, Link = link, Blocks = keep_leads, Pandoc = distinct_sections },
}
