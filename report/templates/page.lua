-- The report's blocks, as sections.lua leaves them -> what only a page can do: code that folds,
-- tables that scroll under captions that do not, headings that can be linked to, contents, the way
-- to the notebooks before and after, and what page.json adds to the ledger and the lottery.

local here = pandoc.path.directory(PANDOC_SCRIPT_FILE)

local function contents_of(path)
  local file = assert(io.open(path))
  local text = file:read('a')
  file:close()
  return text
end

local function html(text) return pandoc.RawBlock('html', text) end
local function template(name) return html(contents_of(pandoc.path.join { here, name })) end

local added = pandoc.json.decode(contents_of('page.json'), false)

-- Code ----------------------------------------------------------------------------------------

local function folding(div)
  local code = div.content[1]
  local _, breaks = code.text:gsub('\n', '\n')
  local lines = breaks == 0 and '1 line' or breaks + 1 .. ' lines'
  local open = div.classes:includes('hidden') and '' or ' open'
  local head = '<details class="input"%s>\n<summary>Code<span>, %s</span></summary>'
  return { html(head:format(open, lines)), code, html('</details>') }
end

-- Tables and formulas that may be wider than the page ----------------------------------------

-- Attributes in this order: that of a table with names changes from run to run.
local function scrolling(label)
  local attributes = { { 'tabindex', '0' }, { 'role', 'group' }, { 'aria-label', label } }
  return pandoc.Attr('', { 'scroll' }, attributes)
end

-- Over the names of rows stands no name; whoever hears the table is told what they are.
local function with_all_headers(found)
  for _, row in ipairs(found.head.rows) do
    for _, cell in ipairs(row.cells) do
      if pandoc.utils.stringify(cell.contents) == '' then
        cell.contents:insert(pandoc.Plain { pandoc.Span('row', { class = 'unseen' }) })
      end
    end
  end
end

-- A sentence keeps some width beside the numbers of its row.
local LONG = 40 -- characters

local function with_room_for_sentences(found)
  for _, body in ipairs(found.bodies) do
    for _, row in ipairs(body.body) do
      for _, cell in ipairs(row.cells) do
        if utf8.len(pandoc.utils.stringify(cell.contents)) > LONG then
          cell.classes:insert('sentence')
        end
      end
    end
  end
end

local function scrolling_table(found)
  with_all_headers(found)
  with_room_for_sentences(found)
  local caption, id = pandoc.utils.blocks_to_inlines(found.caption.long), found.identifier
  if #caption == 0 then return pandoc.Div({ found }, scrolling('A table')) end
  found.caption, found.identifier = { long = {} }, ''
  local label = pandoc.utils.stringify(caption[1]):gsub('%.$', '')
  return {
    html(('<figure class="table"%s>'):format(id == '' and '' or (' id="%s"'):format(id))),
    html('<figcaption>'), pandoc.Plain(caption), html('</figcaption>'),
    pandoc.Div({ found }, scrolling(label)),
    html('</figure>'),
  }
end

local function scrolling_formula(math)
  if math.mathtype == 'DisplayMath' then return pandoc.Span({ math }, scrolling('Formula')) end
end

-- A picture has its place before it is decoded.
local function sized(image)
  local _, content = pandoc.mediabag.lookup(image.src)
  local known, size = pcall(pandoc.image.size, content)
  local width = known and tonumber(image.attributes.width) or known and size.width
  if not known or image.attributes.height then return end
  image.attributes.width = ('%.0f'):format(width)
  image.attributes.height = ('%.0f'):format(width * size.height / size.width)
  return image
end

-- The ledger: each row of a claim opens to what is known of it -------------------------------

local claims_shown = {} -- a claim may be in two tables; a name is given once

local function opened(cell, claim)
  local details = pandoc.Blocks { html('<details><summary>') }
  details:extend(cell.contents)
  details:insert(html('</summary>'))
  for _, part in ipairs(claim.more) do
    details:insert(pandoc.Para { pandoc.Strong(part[1]), pandoc.Space(), pandoc.Str(part[2]) })
  end
  details:insert(html('</details>'))
  cell.contents = details
end

local function claim_row(row, column)
  local name = pandoc.utils.stringify(row.cells[1].contents)
  local claim = added.claims[name]
  if not claim then return end
  row.attr = pandoc.Attr(claims_shown[name] and '' or 'claim-' .. name, {}, {
    { 'data-claim', name }, { 'data-verdict', claim.verdict }, { 'data-section', claim.section },
  })
  claims_shown[name] = true
  if claim.amended then row.cells[1].contents[1].content:insert(pandoc.Str('†')) end
  opened(row.cells[column], claim)
end

local function column_of_claims(found)
  for number, cell in ipairs(found.head.rows[1].cells) do
    local title = pandoc.utils.stringify(cell.contents)
    if title == 'claim' or title == 'sentence' then return number end
  end
  return 2
end

local function claims_table(found)
  local column = column_of_claims(found)
  for _, body in ipairs(found.bodies) do
    for _, row in ipairs(body.body) do
      if #row.cells >= column then claim_row(row, column) end
    end
  end
  return found
end

local function ledger(div)
  if not added.claims then return div.content end
  local filter = next(claims_shown) and {} or { template('ledger.html') }
  return pandoc.Blocks(filter) .. div.content:walk { Table = claims_table }
end

local function lottery(div)
  if not added.lottery then return div.content end
  return pandoc.Blocks { template('lottery.html') } .. div.content
end

-- Headings, and the way from one notebook to the next -----------------------------------------

-- A heading is the link to itself.
local function permalink(heading)
  local function is_link(inline) return inline.t == 'Link' end
  if heading.identifier == '' or heading.content:find_if(is_link) then return end
  local class = { class = 'permalink' }
  heading.content = { pandoc.Link(heading.content, '#' .. heading.identifier, '', class) }
  return heading
end

local function is_notebook(block)
  return block.t == 'Header' and block.level == 1 and added.downloads[block.identifier]
end

local function is_references(block)
  return block.t == 'Header' and block.identifier == 'list-of-references'
end

local function download(heading)
  local file = added.downloads[heading.identifier]
  local link = '<p class="download"><a download="%s" href="%s">Download this notebook</a></p>'
  return html(link:format(file.name, file.href))
end

local function step(heading, relation, label)
  if not heading then return pandoc.Str '' end
  local text = pandoc.Inlines { pandoc.Str(label), pandoc.Space() } .. heading.content
  return pandoc.Link(text, '#' .. heading.identifier, '', { rel = relation })
end

local function steps(before, after)
  local links = { step(before, 'prev', 'Previous:'), pandoc.Space(), step(after, 'next', 'Next:') }
  return { html('<p class="steps">'), pandoc.Plain(links), html('</p>') }
end

-- Each notebook with its download after its heading, and its steps at its end.
local function with_ways(blocks)
  local headings, result = blocks:filter(is_notebook), pandoc.Blocks {}
  local number, open = 0, false
  local function close()
    if #headings > 1 then result:extend(steps(headings[number - 1], headings[number + 1])) end
  end
  for _, block in ipairs(blocks) do
    local begins = is_notebook(block)
    if open and (begins or is_references(block)) then close() end
    open = begins or open and not is_references(block)
    result:insert(block)
    if begins then
      number = number + 1
      result:insert(download(block))
    end
  end
  if open then close() end
  return result
end

local function Pandoc(document)
  local toc = pandoc.structure.table_of_contents(document.blocks, { toc_depth = 2 })
  document.meta.contents = pandoc.Blocks { toc }
  document.blocks = with_ways(document.blocks):walk { Header = permalink }
  return document
end

local widgets = { input = folding, ledger = ledger, lottery = lottery }

local function Div(div)
  local make = widgets[div.classes[1]]
  if make then return make(div) end
end

return {
  { Div = Div },
  { Table = scrolling_table, Math = scrolling_formula, Image = sized },
  { Pandoc = Pandoc },
}
