-- Links to works of references.json -> the same words with a number, and the list of what is cited.

local here = pandoc.path.directory(PANDOC_SCRIPT_FILE)
local BIBLIOGRAPHY = pandoc.path.join { here, '..', 'references.json' }

local function works_by_address()
  local file = assert(io.open(BIBLIOGRAPHY))
  local works = {}
  for _, work in ipairs(pandoc.json.decode(file:read('a'), false)) do
    works[work.DOI and 'https://doi.org/' .. work.DOI or work.URL] = work.id
  end
  file:close()
  return works
end

-- The words of a link to a work stay, and its number follows.
local function numbered(works, found)
  return function(link)
    local id = works[link.target]
    if not id then return end
    found[id] = true
    local number = pandoc.Cite({}, { pandoc.Citation(id, 'NormalCitation') })
    return link.content .. pandoc.Inlines { pandoc.Str '\u{a0}', number }
  end
end

function Pandoc(document)
  local found = {}
  document.blocks = document.blocks:walk { Link = numbered(works_by_address(), found) }
  if not next(found) then return end
  document.meta.bibliography = BIBLIOGRAPHY
  document.meta.csl = pandoc.path.join { here, 'numbered.csl' }
  document.meta['link-citations'] = true
  document.blocks:insert(pandoc.Header(1, 'References', { id = 'list-of-references' }))
  document = pandoc.utils.citeproc(document)
  document.blocks = document.blocks:walk { Cite = function(cite) return cite.content end }
  return document
end
