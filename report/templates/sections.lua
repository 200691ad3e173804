-- Headings that skip no level, as PDF/UA wants it, ids that nothing else has, and links that lead
-- somewhere: notebooks may have sections of the same name, and link to each other.

local in_report, named = false, { content = true, contents = true } -- which the page has

local function own(id)
  local name, number = id, 2
  while named[name] do name, number = id .. '-' .. number, number + 1 end
  named[name] = id ~= '' or nil
  return name
end

-- Names what is in the blocks, and notes for each link the notebook that it stands in.
local function name_parts(blocks)
  local notebook, level, result = '', 0, pandoc.Blocks {}
  local function in_notebook(id) return id == '' and '' or own(notebook .. '--' .. id) end
  local function heading(element)
    if #element.content == 0 then return {} end
    if element.level == 1 and (not in_report or element.identifier:match('^nb%-')) then
      element.identifier = own(element.identifier)
      notebook = element.identifier
    else
      element.identifier = in_notebook(element.identifier)
    end
    level = math.min(element.level, level + 1)
    element.level = level
    return element
  end
  local names = {
    Header = heading,
    Span = function(element)
      element.identifier = in_notebook(element.identifier)
      -- Without anything of its own, an anchor would take the label of what is before it.
      if element.identifier ~= '' then element.content:insert(1, pandoc.RawInline('typst', '#box[]')) end
      return element
    end,
    Figure = function(element) element.identifier = own(element.identifier) return element end,
    Table = function(element) element.identifier = own(element.identifier) return element end,
    Link = function(element) element.attributes.notebook = notebook return element end,
  }
  for _, block in ipairs(blocks) do result:extend(pandoc.Blocks { block }:walk(names)) end
  return result
end

local function link(element)
  local cell, notebook = element.attributes.cell, element.attributes.notebook
  element.attributes = {}
  local other, heading = element.target:match('^([^/:]+)%.ipynb#?(.*)$')
  local part = element.target:match('^#(.*)')
  if other and in_report then
    other = 'nb-' .. other:gsub('%%20', ' '):gsub('[^%w_]', '-')
    part = other .. (heading == '' and '' or '--' .. heading:lower())
  elseif part and not named[part] then
    part = notebook .. '--' .. part:lower()
  end
  if not part then return element end
  if named[part] then
    element.target = '#' .. part
    return element
  end
  pandoc.log.warn((cell or 'a cell') .. ': the link ' .. element.target .. ' leads nowhere')
  return element.content
end

-- "Table A3" and each of "Figures 1 and 2" lead there. What the paper leaves out is on the page.

local KINDS = { Table = 'table-', Tables = 'table-', Figure = 'figure-', Figures = 'figure-' }

local function reference(kind, number, rest)
  local id = KINDS[kind] .. number:lower()
  if named[id] then return { pandoc.Link(number, '#' .. id), pandoc.Str(rest) } end
  local left_out = in_report and FORMAT == 'typst' and number:match('^A')
  return { pandoc.Str(number .. (left_out and ', on the web page' or '') .. rest) }
end

local function references(inlines)
  local result, kind = pandoc.Inlines {}, nil
  for i, inline in ipairs(inlines) do
    local text = inline.t == 'Str' and inline.text or ''
    local number, rest = text:match('^(A?%d+)(.*)$')
    local begun = text:match('%a+$')
    if kind and number then
      result:extend(reference(kind, number, rest))
      local more = kind:match('s$') and (rest == '' or rest == ',')
      kind = more and kind or nil
    elseif inline.t == 'Space' and inlines[i - 1] and kind then
      local first = inlines[i - 1].t == 'Str' and inlines[i - 1].text:match('%a+$') == kind
      result:insert(first and pandoc.Str '\u{a0}' or inline)
    else
      if text ~= 'and' and text ~= 'to' then kind = KINDS[begun] and begun or nil end
      result:insert(inline)
    end
  end
  return result
end

local function as_it_is(element) return element, false end

local referring = {
  traverse = 'topdown',
  Inlines = references,
  Header = as_it_is, Strong = as_it_is, Link = as_it_is, -- a caption's own number is strong
  Div = function(div) if div.classes:includes('ledger') then return div, false end end,
}

function Pandoc(document)
  in_report = document.meta.jupyter ~= nil and document.meta.jupyter.notebooks ~= nil
  document.blocks = name_parts(document.blocks):walk { Link = link }:walk(referring)
  return document
end
