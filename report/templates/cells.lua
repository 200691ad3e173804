-- A notebook's cells as pandoc reads them (--ipynb-output=all) -> blocks that every page can have:
-- one representation of each output, no raw HTML or TeX, only pictures that are there. What cannot
-- be shown gives way to its text, with a warning that names the cell.

local MARKDOWN = 'markdown-yaml_metadata_block-raw_attribute-citations'
local SCHEMES = { http = true, https = true, mailto = true }
local KEPT = { alt = true, width = true, height = true, title = true, lang = true, dir = true }

local cell = '' -- as a warning names it

local function warn(text) pandoc.log.warn(cell .. ': ' .. text) end

-- `aligned` and its kin stand alone in a notebook; pandoc wants them inside a formula.
local function environment(raw)
  local name, body = raw.text:match('^%s*\\begin{(%a+)%*?}(.*)\\end{%1%*?}%s*$')
  if not raw.format:match('tex$') or not name then return end
  local inner = name == 'equation' and body or '\\begin{aligned}' .. body .. '\\end{aligned}'
  return pandoc.Math('DisplayMath', inner)
end

local formulas = {
  RawInline = environment,
  RawBlock = function(raw)
    local formula = environment(raw)
    return formula and pandoc.Para { formula }
  end,
}

local function read(text, format)
  local _, document = pandoc.log.silence(pandoc.read, text, format)
  return document.blocks
end

-- Read as elements of the page's own, HTML has no script, and every tag of it ends in its cell.
local function from_html(text)
  -- Pandoc would fetch what a frame shows.
  text = text:gsub('<(/?)[iI][fF][rR][aA][mM][eE]', '<%1div')
  return read(text, 'html+tex_math_single_backslash')
end

local function without_html(blocks)
  local found = false
  local function look(raw) found = found or raw.format == 'html' end
  blocks:walk { RawInline = look, RawBlock = look }
  if not found then return blocks end
  local options = { html_math_method = 'mathjax', wrap_text = 'preserve' }
  return from_html(pandoc.write(pandoc.Pandoc(blocks), 'html', options))
end

-- What is no part of the notebook would have to be fetched.
local function picture(image)
  local kind, content = pandoc.mediabag.lookup(image.src)
  local name = image.src
  if kind or name:match('^data:') then name = 'a picture' end
  if not kind then kind, content = pandoc.mediabag.lookup((name:gsub('%%20', ' '))) end
  if not kind and image.src:match('^data:image/') then
    local read, first, second = pcall(pandoc.mediabag.fetch, image.src)
    if read then kind, content = first, second end
  end
  local alt = image.attributes.alt or ''
  if alt:match('^%s*$') then alt = pandoc.utils.stringify(image.caption) end
  if not kind or not pcall(pandoc.image.size, content) then
    warn(name .. (kind and ' cannot be read' or ' is not in the notebook'))
    return pandoc.Str('[' .. (alt == '' and name or 'picture: ' .. alt) .. ']')
  end
  if alt:match('^%s*$') then
    warn('a picture has no alternative text')
    alt = 'A picture without a description, in ' .. cell
  end
  if not image.src:match('^[%w-]+%.%w+$') then
    local ending = kind:match('svg') and 'svg' or kind:match('/(%w+)') or 'png'
    image.src = pandoc.utils.sha1(content) .. '.' .. ending
    pandoc.mediabag.insert(image.src, kind, content)
  end
  image.caption, image.title, image.attributes.alt = {}, '', alt
  return image
end

local function formula(math)
  local document = pandoc.Pandoc { pandoc.Plain { math } }
  local options = pandoc.WriterOptions { html_math_method = 'mathml' }
  local warnings = pandoc.log.silence(pandoc.write, document, FORMAT, options)
  if #warnings == 0 and math.text:match('%S') then return end
  warn('no valid TeX math: ' .. math.text)
  return pandoc.Code(math.text)
end

local function link(element)
  local scheme = element.target:gsub('[%c%s]', ''):lower():match('^([^/?#]-):')
  if element.target == '' or scheme and not SCHEMES[scheme] then return element.content end
  element.attributes.cell = cell -- by which a warning of sections.lua names it
  return element
end

local function safe_attributes(element)
  if element.tag ~= 'Span' and element.tag ~= 'Header' then element.identifier = '' end
  for name, value in pairs(element.attributes) do
    local style = name == 'style' and not value:match('[(\\@]') and not value:match('position')
    if not KEPT[name] and not style then element.attributes[name] = nil end
  end
  return element
end

local function safe_table(element)
  local parts = { element.head.rows, element.foot.rows }
  for _, body in ipairs(element.bodies) do
    table.move({ body.head, body.body }, 1, 2, #parts + 1, parts)
    safe_attributes(body.attr)
  end
  for _, rows in ipairs(parts) do
    for _, row in ipairs(rows) do
      safe_attributes(row.attr)
      for _, one in ipairs(row.cells) do safe_attributes(one.attr) end
    end
  end
  safe_attributes(element.head.attr)
  safe_attributes(element.foot.attr)
  return safe_attributes(element)
end

local function nothing() return {} end
local function content(element) return element.content end

local safe = {
  RawInline = nothing, RawBlock = nothing, Div = content, Cite = content,
  Image = function(image) return picture(safe_attributes(image)) end,
  Link = function(element) return link(safe_attributes(element)) end,
  Math = formula, Table = safe_table, Span = safe_attributes, Header = safe_attributes,
  Code = safe_attributes, CodeBlock = safe_attributes, Figure = safe_attributes,
}

local function shown(blocks)
  return without_html(pandoc.Blocks(blocks):walk(formulas)):walk(safe)
end

-- Of the alternatives that an output has, the richest that shows something.
local function best(output)
  local found, text = {}, nil
  for _, block in ipairs(output.content) do
    if block.t == 'RawBlock' then
      found[block.format] = (found[block.format] or '') .. block.text
    elseif block.t == 'CodeBlock' then
      text = block
    else
      return shown { block } -- a picture
    end
  end
  for _, kind in ipairs { 'markdown', 'html', 'latex' } do
    local format = kind == 'html' and from_html or function(source) return read(source, MARKDOWN) end
    local blocks = found[kind] and shown(format(found[kind])) or {}
    if #blocks > 0 then return blocks end
  end
  return { text }
end

local function safe_cell(div)
  if not div.classes:includes('code') then
    div.content = shown(div.content)
    return div
  end
  for _, block in ipairs(div.content) do
    local stream = block.t == 'Div' and block.classes:includes('stream')
    if block.t == 'Div' and not stream then block.content = best(block) end
  end
  return div
end

function Div(div)
  if not div.classes:includes('cell') then return end
  cell = div.attributes.named or 'a cell'
  local done, result = pcall(safe_cell, div)
  if done then return result, false end
  warn('shown as plain text: ' .. tostring(result))
  local _, text = pandoc.log.silence(pandoc.write, pandoc.Pandoc { div }, 'plain')
  return pandoc.Div({ pandoc.CodeBlock(text) }, div.attr), false
end

return { { traverse = 'topdown', Div = Div } }
