-- The report's blocks, as references.lua leaves them -> those tagged "abstract" and "front-page" as
-- metadata of these names, which the templates put in front. A notebook alone keeps them in place.

local function stays(block)
  return block.t == 'Header' or block.t == 'Div' and block.classes:includes('input')
end

local function moves(block) return not stays(block) end

function Pandoc(document)
  local in_report = document.meta.jupyter ~= nil and document.meta.jupyter.notebooks ~= nil
  local blocks = pandoc.Blocks {}
  for _, block in ipairs(document.blocks) do
    local kind = block.t == 'Div' and block.classes[1]
    if kind ~= 'abstract' and kind ~= 'front-page' then
      blocks:insert(block)
    elseif in_report then
      document.meta[kind] = block.content:filter(moves)
      blocks:extend(block.content:filter(stays))
    else
      blocks:extend(block.content)
    end
  end
  document.blocks = blocks
  return document
end
