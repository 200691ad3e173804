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

function Pandoc(document)
  in_report = document.meta.jupyter ~= nil and document.meta.jupyter.notebooks ~= nil
  document.blocks = name_parts(document.blocks):walk { Link = link }
  return document
end
