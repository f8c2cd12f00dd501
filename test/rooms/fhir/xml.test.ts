import fc from 'fast-check'
import { encodeXmlInSteps, parseResource, parseSentJson, parseSentXml, printJson, type Resource } from '#fhir'
import { atOnce, isProblem, withBudget } from '#kernel'

const xmlOf = (resource: Resource | string, isPretty = false) =>
  atOnce(encodeXmlInSteps(typeof resource === 'string' ? parseResource(resource) : resource, { isPretty })).toString()
const read = (xml: string) => parseSentXml(Buffer.from(xml))
const head = '<?xml version="1.0" encoding="UTF-8"?>'
const fhir = 'xmlns="http://hl7.org/fhir"'
const xhtml = 'xmlns="http://www.w3.org/1999/xhtml"'

/** Texts of a megabyte are not for people to compare. */
const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
}

/** What XML and JSON say differently, each with the other. */
const pairs: readonly (readonly [what: string, json: string, xml: string])[] = [
  [
    'order of the definition, attributes of elements, ids of resources',
    '{"resourceType":"Patient","birthDate":"2000","name":[{"family":"F","id":"n"}],"id":"a"}',
    `<Patient ${fhir}><id value="a"/><name id="n"><family value="F"/></name><birthDate value="2000"/></Patient>`,
  ],
  [
    'ids and extensions of primitives, and of those in lists',
    '{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[null,{"extension":[{"url":"u","valueCode":"x"}]},{"id":"c"}]}],"_birthDate":{"id":"b"}}',
    `<Patient ${fhir}><name><given value="A"/><given><extension url="u"><valueCode value="x"/></extension></given><given id="c" value="C"/></name><birthDate id="b"/></Patient>`,
  ],
  [
    'digits, booleans and whole numbers',
    '{"resourceType":"Observation","valueQuantity":{"value":1.50},"component":[{"valueInteger":-3},{"valueBoolean":true},{"valueQuantity":{"value":1e-7}},{"valueQuantity":{"value":12345678901234567890.10}}]}',
    `<Observation ${fhir}><valueQuantity><value value="1.50"/></valueQuantity><component><valueInteger value="-3"/></component><component><valueBoolean value="true"/></component><component><valueQuantity><value value="1e-7"/></valueQuantity></component><component><valueQuantity><value value="12345678901234567890.10"/></valueQuantity></component></Observation>`,
  ],
  [
    'narratives as they are',
    `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p class='x'>a &lt; b<br/><!-- c --></p>\\r\\n</div>"}}`,
    `<Patient ${fhir}><text><status value="generated"/><div ${xhtml}><p class='x'>a &lt; b<br/><!-- c --></p>\r\n</div></text></Patient>`,
  ],
  [
    'resources within resources',
    '{"resourceType":"Bundle","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Basic"}]}},{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome"}}}]}',
    `<Bundle ${fhir}><entry><fullUrl value="urn:x"/><resource><Patient><contained><Organization><id value="o"/></Organization></contained><contained><Basic/></contained></Patient></resource></entry><entry><response><status value="200"/><outcome><OperationOutcome/></outcome></response></entry></Bundle>`,
  ],
  [
    'white space and signs in values',
    '{"resourceType":"Patient","name":[{"text":" a\\tb\\r\\nc <&>\\"\' \u{1f600} "}]}',
    `<Patient ${fhir}><name><text value=" a&#9;b&#13;&#10;c &lt;&amp;&gt;&quot;' \u{1f600} "/></name></Patient>`,
  ],
  [
    'url as an attribute of an extension, as an element elsewhere',
    '{"resourceType":"Patient","extension":[{"id":"e","url":"u","extension":[{"url":"v","valueUri":"w"}]}],"photo":[{"url":"x"}]}',
    `<Patient ${fhir}><extension id="e" url="u"><extension url="v"><valueUri value="w"/></extension></extension><photo><url value="x"/></photo></Patient>`,
  ],
]

describe('XML and JSON of one resource – https://hl7.org/fhir/R4/xml.html', () => {
  it.each(pairs)('say the same: %s', async (_, json, xml) => {
    expect(xmlOf(json)).toBe(head + xml)
    const back = await read(head + xml)
    expect(back).toEqual(parseResource(json))
    expect(printJson(back)).toContain((/\d\.\d+0\b/.exec(json) ?? [''])[0])
    expect(await read(xmlOf(json, true))).toEqual(parseResource(json))
  })

  it('may have a prefix, comments, instructions, a mark at the start and a place of the schema', async () => {
    const xml = `\ufeff<?xml version="1.0"?><?xml-stylesheet href="x"?><!-- one --><f:Patient xmlns:f="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">
      <!-- two --><f:active value="true"/></f:Patient>`
    expect(await read(xml)).toEqual({ resourceType: 'Patient', active: true })
  })

  it('is read with the text of values as it is, whether or not it fits their type', async () => {
    const told = await read(`<Patient ${fhir}><active value="yes"/><multipleBirthInteger value=" 1"/></Patient>`)
    expect(told).toEqual({ resourceType: 'Patient', active: 'yes', multipleBirthInteger: ' 1' })
  })

  it.each([
    ['&nbsp;', '&#160;'],
    ['&Auml;&ndash;', '&#196;&#8211;'],
  ])('writes what only HTML knows by name as a number: %s', (name, number) => {
    const text = { status: 'generated', div: `<div>${name}</div>` }
    expect(xmlOf({ resourceType: 'Patient', text })).toContain(`<div ${xhtml}>${number}</div>`)
  })

  it.each([['</div><x/><div>'], ['<div>'], ['&unknown;'], ['<p>'], ['</div></text><active value="true"/><text><div>']])(
    'does not write a narrative that would be no narrative: %s',
    async inner => {
      const text = { status: 'generated', div: `<div ${xhtml}>${inner}</div>` }
      expect(await codeOf(() => xmlOf({ resourceType: 'Patient', text }))).toBe('xml.unprintable')
    },
  )

  it.each([
    { name: [{ text: 'a\u0001b' }] },
    { name: [{ text: '\uffff' }] },
    { colour: 'red' },
    { text: { status: 'generated', div: `<!DOCTYPE div [<!ENTITY x "y">]><div ${xhtml}>&x;</div>` } },
  ])('does not write what XML cannot say: %j', async more => {
    expect(await codeOf(() => xmlOf({ resourceType: 'Patient', ...more }))).toBe('xml.unprintable')
  })

  it('lets others have their turn where many texts become longer', () => {
    const text = '&'.repeat(300_000)
    const steps = encodeXmlInSteps({ resourceType: 'Patient', name: Array.from({ length: 16 }, () => ({ text })) })
    let turns = 0
    let step = steps.next()
    for (; step.done !== true; turns++) step = steps.next()
    expect(turns).toBeGreaterThan(8)
    expect(String(step.value).split('&amp;')).toHaveLength(16 * text.length + 1)
  })

  it('brings any text through', async () => {
    const texts = fc.string({ unit: 'grapheme' }).filter(text => /^[\t\n\r\x20-\ufffd]*$/.test(text))
    await fc.assert(
      fc.asyncProperty(texts, fc.boolean(), async (text, isPretty) => {
        const resource = { resourceType: 'Patient', name: [{ text }], extension: [{ url: text }] }
        expect(await read(xmlOf(resource, isPretty))).toEqual(resource)
      }),
    )
  })
})

describe('narratives by a prefix – https://hl7.org/fhir/R4/xml.html', () => {
  const h = 'xmlns:h="http://www.w3.org/1999/xhtml"'
  const divOf = async (xml: string) => ((await read(xml)).text as { readonly div: string }).div

  it.each([
    [`<h:div ${h}>a</h:div>`, `<div ${xhtml}>a</div>`],
    [`<h:div ${h}/>`, `<div ${xhtml}/>`],
    [
      `<h:div ${h} class="x" xml:lang='de'><h:p id = "q">a &lt; b<h:br/><!-- h:c --> &amp; <![CDATA[<h:p>]]></h:p >\n</h:div>`,
      `<div ${xhtml} class="x" xml:lang="de"><p id="q">a &lt; b<br/><!-- h:c --> &amp; <![CDATA[<h:p>]]></p>\n</div>`,
    ],
    [
      `<h:div ${h}><h:a title="&quot;x&quot; &lt; &#10; &amp;amp;" href='a"b'/></h:div>`,
      `<div ${xhtml}><a title="&quot;x&quot; &lt; &#10; &amp;amp;" href="a&quot;b"/></div>`,
    ],
    [
      `<h:div ${h}><p ${xhtml}>x</p><g:p xmlns:g="http://www.w3.org/1999/xhtml">y</g:p></h:div>`,
      `<div ${xhtml}><p>x</p><p>y</p></div>`,
    ],
  ])('%s', async (sent, div) => {
    const xml = `<Patient ${fhir}><text><status value="generated"/>${sent}</text><active value="true"/></Patient>`
    expect(await divOf(xml)).toBe(div)
    expect((await read(xml)).active).toBe(true)
    const again = await read(xmlOf(await read(xml)))
    expect(again).toEqual(await read(xml))
  })

  it('or without one, where XHTML is what has none', async () => {
    const f = 'xmlns:f="http://hl7.org/fhir"'
    const text = '<f:text><f:status value="generated"/><div><p>a</p></div></f:text>'
    expect(await divOf(`<f:Patient ${f} ${xhtml}>${text}</f:Patient>`)).toBe(`<div ${xhtml}><p>a</p></div>`)
    expect(await divOf(`<f:Patient ${f} ${h}>${text.replace(/(<\/?)(?=div|p>)/g, '$1h:')}</f:Patient>`)).toBe(
      `<div ${xhtml}><p>a</p></div>`,
    )
  })

  it('across the slices in which a long one is read', async () => {
    const inner = '<h:p>\r\n\u{1f600} ä &lt;</h:p>'.repeat(5_000)
    const div = await divOf(`<Patient ${fhir} ${h}><text><h:div>${inner}</h:div></text></Patient>`)
    expect(div).toBe(`<div ${xhtml}>${inner.replaceAll('h:', '')}</div>`)
  })
})

describe('XML that is refused', () => {
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
  it.each([
    [`${bomb}<Patient ${fhir}><id value="&b;"/></Patient>`, 'xml.doctype'],
    [`<!DOCTYPE x SYSTEM "file:///etc/passwd"><Patient ${fhir}/>`, 'xml.doctype'],
    // A66: whatever a document type may hold, wherever it stands, nothing is read and nothing grows.
    [`<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Patient ${fhir}/>`, 'xml.doctype'],
    [`<!DOCTYPE x PUBLIC "-//W3C//DTD" "http://127.0.0.1:1/x.dtd"><Patient ${fhir}/>`, 'xml.doctype'],
    [`<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;]><Patient ${fhir}/>`, 'xml.doctype'],
    [`<!DOCTYPE x [<!ATTLIST Patient a CDATA "b">]><Patient ${fhir}/>`, 'xml.doctype'],
    [
      `<!DOCTYPE x [<!ENTITY a "${'a'.repeat(10_000)}">]><Patient ${fhir}><id value="${'&a;'.repeat(10_000)}"/></Patient>`,
      'xml.doctype',
    ],
    [`<!DOCTYPE a><!DOCTYPE b><Patient ${fhir}/>`, 'xml.doctype'],
    [`<Patient ${fhir}><!DOCTYPE b><id value="a"/></Patient>`, 'xml.malformed'],
    [
      `<Patient ${fhir}><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/></Patient>`,
      'xml.element-unknown',
    ],
    [`<Patient ${fhir}><id value="&b;"/></Patient>`, 'xml.malformed'],
    [`<Patient ${fhir}><id value="a"></Patient>`, 'xml.malformed'],
    [`<Patient ${fhir}><id value="a" value="b"/></Patient>`, 'xml.malformed'],
    [`<Patient ${fhir}/><Patient ${fhir}/>`, 'xml.malformed'],
    [`<Patient ${fhir}><id value="&#0;"/></Patient>`, 'xml.malformed'],
    ['{"resourceType":"Patient"}', 'xml.malformed'],
    ['', 'xml.malformed'],
    ['<?xml version="1.0" encoding="iso-8859-1"?><Patient/>', 'xml.not-utf8'],
    ['<Patient/>', 'xml.namespace'],
    [`<Patient ${fhir}><active xmlns="http://other" value="true"/></Patient>`, 'xml.namespace'],
    [`<Patient ${fhir}><text><div>x</div></text></Patient>`, 'xml.namespace'],
    [`<Patient ${fhir}><text><h:div xmlns:h="http://other">x</h:div></text></Patient>`, 'xml.namespace'],
    [
      `<Patient ${fhir}><text><h:div xmlns:h="http://www.w3.org/1999/xhtml"><p>x</p></h:div></text></Patient>`,
      'xml.namespace',
    ],
    [
      `<Patient ${fhir}><text><h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p h:id="x"/></h:div></text></Patient>`,
      'xml.namespace',
    ],
    [`<Patient ${fhir}><text><h:div>x</h:div></text></Patient>`, 'xml.malformed'],
    [`<Patients ${fhir}/>`, 'xml.not-a-resource'],
    [`<Patient ${fhir}><contained><Name/></contained></Patient>`, 'xml.not-a-resource'],
    [`<Patient ${fhir}><colour value="red"/></Patient>`, 'xml.element-unknown'],
    [`<Patient ${fhir}><__proto__ value="red"/></Patient>`, 'xml.element-unknown'],
    [`<Patient ${fhir}><active><value value="true"/></active></Patient>`, 'xml.element-unknown'],
    [`<Patient ${fhir}><extension><url value="u"/></extension></Patient>`, 'xml.element-unknown'],
    [`<Patient ${fhir}><active value="true"/><active value="true"/></Patient>`, 'xml.element-twice'],
    [`<Patient ${fhir}><contained><Basic/><Basic/></contained></Patient>`, 'xml.element-twice'],
    [`<Patient ${fhir}><active/></Patient>`, 'xml.element-empty'],
    [`<Patient ${fhir}><contained/></Patient>`, 'xml.element-empty'],
    [`<Patient ${fhir}><active value="true" colour="red"/></Patient>`, 'xml.attribute-unknown'],
    [`<Patient ${fhir} id="a"/>`, 'xml.attribute-unknown'],
    [`<Patient ${fhir}><name value="x"/></Patient>`, 'xml.attribute-unknown'],
    [`<Patient ${fhir}>red</Patient>`, 'xml.text-unexpected'],
    [`<Patient ${fhir}><active><![CDATA[red]]></active></Patient>`, 'xml.text-unexpected'],
  ])('%s: %s', async (xml, code) => {
    expect(await codeOf(() => read(xml))).toBe(code)
  })

  it('names the element and shows no value', async () => {
    const xml = `<Observation ${fhir}><component/><component><code><text value="secret"/><text value="x"/></code></component></Observation>`
    await expect(read(xml)).rejects.toMatchObject({ expression: ['Observation.component[1].code.text'] })
    await expect(read(`<Observation ${fhir}>secret`)).rejects.not.toMatchObject({
      text: expect.stringContaining('secret'),
    })
  })

  it('what is no UTF-8, and what is deeper than JSON may be', async () => {
    expect(
      await codeOf(() => parseSentXml(Buffer.from(`<Patient ${fhir}><id value="\xff"/></Patient>`, 'latin1'))),
    ).toBe('xml.not-utf8')
    const deep = (levels: number) =>
      `<Basic ${fhir}>${'<extension url="u">'.repeat(levels)}${'</extension>'.repeat(levels)}</Basic>`
    expect(await codeOf(() => read(deep(32)))).toBe('xml.too-deep')
    const told = printJson(await read(deep(31)))
    expect(parseResource(told)).toEqual(await read(deep(31)))
  })

  const nested = (tag: string, levels: number) =>
    `${`<${tag}>`.repeat(levels)}${`</${tag.split(' ')[0]}>`.repeat(levels)}`
  const narrative = (div: string, more = '') =>
    `<Patient ${fhir}${more}><text><status value="generated"/>${div}</text></Patient>`
  const h = ' xmlns:h="http://www.w3.org/1999/xhtml"'
  const divOf = (within: string) => `<div ${xhtml}>${within}</div>`
  it.each([
    ['a narrative', (levels: number) => narrative(divOf(nested('b', levels)))],
    ['one with prefixes', (levels: number) => narrative(`<h:div>${nested('h:b', levels)}</h:div>`, h)],
    ['one whose elements declare', (levels: number) => narrative(divOf(nested(`b ${xhtml}`, levels)))],
  ])('looks for namespaces through 256 elements at most: %s', async (_, xml) => {
    expect(await codeOf(() => read(xml(252)))).toBeUndefined()
    expect(await codeOf(() => read(xml(5_000)))).toBe('xml.too-deep')
  })

  const listed = (count: number, at: (at: number) => string) => Array.from({ length: count }, (_, index) => at(index))
  const names = (count: number) => listed(count, at => `a${at}="b"`).join(' ')
  const declarations = (count: number) => listed(count, at => `xmlns:a${at}="b"`).join(' ')
  it.each([
    ['declarations of the root', (count: number) => `<Patient ${fhir} ${declarations(count)}/>`],
    [
      'declarations within',
      (count: number) => `<Patient ${fhir}><active ${declarations(count)} value="true"/></Patient>`,
    ],
    ['a narrative', (count: number) => narrative(`<div ${xhtml} ${names(count)}/>`)],
    ['an element of a narrative', (count: number) => narrative(divOf(`<b ${names(count)}/>`))],
    ['one that does not end', (count: number) => `<Patient ${fhir} ${names(count)}`],
  ])('takes 1,000 attributes of one element at most: %s', async (_, xml) => {
    expect(await codeOf(() => read(xml(990)))).not.toBe('xml.too-many-attributes')
    expect(await codeOf(() => read(xml(50_000)))).toBe('xml.too-many-attributes')
  })

  const told = (div: string) => ({ resourceType: 'Patient', text: { status: 'generated', div } })
  it('answers no more of it than it takes, where JSON had it', async () => {
    for (const within of [nested('b', 252), `<b ${names(990)}/>`]) {
      const resource = told(divOf(within))
      expect(await read(xmlOf(resource))).toEqual(resource)
    }
    for (const within of [
      nested('b', 5_000),
      `<b ${names(50_000)}/>`,
      `<b ${declarations(50_000)}/>`,
      '&amp;'.repeat(510_000),
    ])
      expect(await codeOf(() => xmlOf(told(divOf(within))))).toBe('xml.unprintable')
  })

  it.each([
    ['a value', { resourceType: 'Patient', name: [{ text: '&'.repeat(600_000) }] }],
    ['an attribute', { resourceType: 'Patient', extension: [{ url: '"'.repeat(600_000), valueCode: 'x' }] }],
    ['a value of pairs', { resourceType: 'Patient', name: [{ text: `x${'\u{1f600}'.repeat(300_000)}` }] }],
    ['a narrative', told(divOf('<p>x &amp; y</p>'.repeat(40_000)))],
    ['a narrative of HTML’s names', told(divOf(`x${'&nbsp;'.repeat(100_000)}`))],
    ['a narrative of one attribute', told(divOf(`<p title="${'&lt;'.repeat(150_000)}"/>`))],
  ])('is written bit by bit: %s of 600,000 letters', async (_, resource) => {
    let steps = 0
    const printing = encodeXmlInSteps(resource)
    let step = printing.next()
    for (; step.done !== true; step = printing.next()) steps++
    expect(steps).toBeGreaterThanOrEqual(4)
    const { text, ...back } = await parseSentXml(step.value)
    const { text: own, ...sent } = resource as Resource & { text?: { div: string } }
    expect(back).toEqual(sent)
    const nbsp = (text as typeof own)?.div.replaceAll('&#160;', '&nbsp;')
    expect(nbsp).toBe(own?.div)
  })

  it.each([
    ['elements and values', { name: Array.from({ length: 4_000 }, () => ({ family: 'x', given: ['y', 'z'] })) }],
    [
      'a narrative, which is one value',
      { text: { status: 'generated', div: `<div ${xhtml}>${'<p class="a">x &amp; y</p>'.repeat(10_000)}</div>` } },
    ],
    [
      'extensions beside values',
      { _birthDate: { extension: Array.from({ length: 3_000 }, () => ({ url: 'x', valueCode: 'y' })) } },
    ],
  ])('is charged as its JSON is: %s', async (_, members) => {
    const resource = { resourceType: 'Patient', ...members }
    const json = Buffer.from(JSON.stringify(resource))
    const xml = xmlOf(resource)
    expect(xml.length).toBeGreaterThan(64 * 1024)
    for (const parsed of [5, 100, 1_000, 12_000, 20_000, 50_000]) {
      const asJson = await codeOf(() => withBudget({ parsed }, () => parseSentJson(json)))
      const asXml = await codeOf(() => withBudget({ parsed }, () => read(xml)))
      if (asJson === undefined) expect([parsed, asXml]).toEqual([parsed, undefined])
    }
    expect(await read(xml)).toEqual(resource)
  })

  it('a narrative whose elements have prefixes is charged for what is left out', async () => {
    const div = `<h:div xmlns:h="http://www.w3.org/1999/xhtml">${'<h:p>x</h:p>'.repeat(10_000)}</h:div>`
    const xml = `<Patient ${fhir}><text><status value="generated"/>${div}</text></Patient>`
    expect(await codeOf(() => withBudget({ parsed: 5_000 }, () => read(xml)))).toBe('budget.parsed-exceeded')
  })

  it('is read piece by piece, whatever lies across their ends', async () => {
    const words = '<p>\r\n\u{1f600} ä &amp; b</p>'
    for (const before of [0, 3]) {
      const plain = `<div ${xhtml}>${words.repeat(25_000)}</div>`
      const prefixed = `<h:div>${words.replaceAll('p>', 'h:p>').repeat(20_000)}</h:div>`
      const value = `${'x'.repeat(before)}${'\u{1f600}é'.repeat(100_000)}`
      const named = (div: string) =>
        `<contained><Patient><text><status value="generated"/>${div}</text></Patient></contained>`
      const xml = `\ufeff<Patient ${fhir} xmlns:h="http://www.w3.org/1999/xhtml"><id value="a"/>${named(plain)}${named(prefixed)}<name><text value="${value}"/><family value="F"/></name></Patient>`
      const text = (div: string) => ({ resourceType: 'Patient', text: { status: 'generated', div } })
      expect(
        isSame(await read(xml), {
          resourceType: 'Patient',
          id: 'a',
          contained: [text(plain), text(`<div ${xhtml}>${words.repeat(20_000)}</div>`)],
          name: [{ text: value, family: 'F' }],
        }),
      ).toBe(true)
    }
  })

  it('is refused where it is no UTF-8, in whichever piece', async () => {
    const xml = Buffer.from(`<Patient ${fhir}><name><text value="${'x'.repeat(1_500_000)}"/></name></Patient>`)
    for (const at of [100, 600_000, 1_400_000]) {
      const broken = Buffer.from(xml)
      broken[at] = 0xff
      expect([at, await codeOf(() => parseSentXml(broken))]).toEqual([at, 'xml.not-utf8'])
    }
  })

  it('has its elements counted as they are made', async () => {
    const many = `<Patient ${fhir}>${'<name><text value="x"/></name>'.repeat(3_000)}</Patient>`
    expect(await codeOf(() => withBudget({ parsed: 5_000 }, () => read(many)))).toBe('budget.parsed-exceeded')
    expect(await codeOf(() => withBudget({ parsed: 50_000 }, () => read(many)))).toBeUndefined()
    const value = (text: string) => `<Patient ${fhir}><name><text value="${text}"/></name></Patient>`
    for (const reference of ['&amp;', '&#65;', '&#x41;'])
      for (const xml of [
        value,
        (text: string) => narrative(divOf(text)),
        (text: string) => narrative(divOf(`<p title="${text}"/>`)),
      ]) {
        const references = xml(reference.repeat(20_000))
        expect(await codeOf(() => withBudget({ parsed: 15_000 }, () => read(references)))).toBe(
          'budget.parsed-exceeded',
        )
        expect(await codeOf(() => withBudget({ parsed: 25_000 }, () => read(references)))).toBeUndefined()
      }
  })

  it('reads a long narrative and long values across pieces', async () => {
    const div = `<div ${xhtml}>${'<p>\r\n\u{1f600} ä</p>'.repeat(5_000)}</div>`
    const resource = {
      resourceType: 'Patient',
      text: { status: 'generated', div },
      name: [{ text: '\u{1f600}\r\n'.repeat(20_000) }],
    }
    expect(await read(xmlOf(resource))).toEqual(resource)
  })
})

it('a number that is longer than anybody would look at in one go stays a text, which is no number', async () => {
  const number = (letters: number) => `0.${'1'.repeat(letters - 2)}`
  const value = async (letters: number) =>
    read(`<Observation ${fhir}><valueQuantity><value value="${number(letters)}"/></valueQuantity></Observation>`)
  expect(await value(4_097)).toMatchObject({ valueQuantity: { value: number(4_097) } })
  expect(printJson((await value(4_096)) as Resource)).toContain(`"value":${number(4_096)}}`)
})
