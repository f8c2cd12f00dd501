import { spawnSync } from 'node:child_process'
import { parseSentXml } from '#fhir'

/** A text is decoded in pieces of so many bytes. */
const pieceBytes = 512 * 1024
const fhir = 'xmlns="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"'
const xhtml = 'xmlns="http://www.w3.org/1999/xhtml"'

describe('XML that is read piece by piece – https://hl7.org/fhir/R4/xml.html', () => {
  const narrative = (div: string) => `<text><status value="generated"/>${div}</text>`
  const plain = `<div ${xhtml} title="a &lt; é">\r\n<p>1 &amp; <![CDATA[<b>]]> ]]&gt; \u{1f600}</p><!-- <i> --><?pi <x?><br/></div>`
  const prefixed = `<h:div title='>'><h:p class="ü">2 \u{1f600}<![CDATA[<h:p>]]>\r\n</h:p><h:br/></h:div>`
  const name = `<name><text value="é\u{1f600}&#x1F600;&#10;&quot;\r\nb"/><family value='F'/></name>`
  const patient = `<Patient ${fhir}>${narrative(plain)}<contained><Patient>${narrative(prefixed)}</Patient></contained>${name}</Patient>`
  const sent = (comment: number) => Buffer.from(`\ufeff<!--${'x'.repeat(comment)}-->${patient}`)
  const said = async (bytes: Buffer) => JSON.stringify(await parseSentXml(bytes))

  it('says the same wherever a piece ends', async () => {
    const whole = await said(sent(0))
    const { length } = sent(0)
    const others: number[] = []
    // One after the other each place of the text lies at the end of the first piece.
    for (let end = 0; end <= length; end += 19) if ((await said(sent(pieceBytes - end))) !== whole) others.push(end)
    expect(others).toEqual([])
  })
})

describe('a long XML is not held more than once', () => {
  const door = JSON.stringify(new URL('../../../src/fhir/index.ts', import.meta.url).href)
  const paragraphs = (prefix: string, count: number) =>
    `<${prefix}p>${'words and more '.repeat(60)}</${prefix}p>`.repeat(count)

  it.each([
    ['narratives', 600, `<div ${xhtml}>${paragraphs('', 30)}</div>`],
    ['narratives with prefixes', 600, `<h:div>${paragraphs('h:', 30)}</h:div>`],
    ['one narrative', 1, `<div ${xhtml}>${paragraphs('', 18_000)}</div>`],
    ['one narrative with prefixes', 1, `<h:div>${paragraphs('h:', 18_000)}</h:div>`],
  ])('%s', (_, count, div) => {
    const script = `
      const { parseSentXml } = await import(${door})
      const { text } = await import('node:stream/consumers')
      const one = '<contained><Patient><text><status value="generated"/>' + (await text(process.stdin)) + '</text></Patient></contained>'
      const bytes = Buffer.from('<Patient ${fhir}>' + one.repeat(${count}) + '</Patient>')
      const { contained } = await parseSentXml(bytes)
      console.log(bytes.length, contained.length)`
    const heap = '--max-old-space-size=80'
    const run = spawnSync(process.execPath, [heap, '--input-type=module', '-e', script], {
      input: div,
      encoding: 'utf8',
    })
    const [length, read] = run.stdout.split(' ').map(Number)
    expect([read, (length ?? 0) > 16_000_000]).toEqual([count, true])
  })
})
