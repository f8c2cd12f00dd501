import { mapLinks, mapReferences, parseReference, type Resource } from '#fhir'

const base = 'https://box.example/fhir'
const absolute = 'https://other.example/r4/Patient/1'

describe('parseReference – https://hl7.org/fhir/R4/references.html#literal', () => {
  it.each([
    ['Patient/1', { kind: 'local', type: 'Patient', id: '1' }],
    ['Patient/1/_history/2', { kind: 'local', type: 'Patient', id: '1', version: '2' }],
    [`${base}/Patient/1`, { kind: 'local', type: 'Patient', id: '1' }],
    [absolute, { kind: 'absolute', type: 'Patient', id: '1', url: absolute }],
    [
      `${absolute}/_history/3`,
      { kind: 'absolute', type: 'Patient', id: '1', version: '3', url: `${absolute}/_history/3` },
    ],
    [
      'https://box.example/fhirevil/Patient/1',
      { kind: 'absolute', type: 'Patient', id: '1', url: 'https://box.example/fhirevil/Patient/1' },
    ],
    ['https://other.example/x', { kind: 'absolute', url: 'https://other.example/x' }],
    [
      'urn:uuid:4b895168-9500-aad7-3e19-467081f4123f',
      { kind: 'urn', url: 'urn:uuid:4b895168-9500-aad7-3e19-467081f4123f' },
    ],
    ['urn:oid:1.2.3', { kind: 'urn', url: 'urn:oid:1.2.3' }],
    ['#p1', { kind: 'fragment', id: 'p1' }],
    ['#', { kind: 'fragment', id: '' }],
    ['Patient?identifier=a|b', { kind: 'conditional', type: 'Patient', url: 'identifier=a|b' }],
    ['Unknown/1', { kind: 'other' }],
    ['Patient/Patient/1', { kind: 'other' }],
    ['Patient/a b', { kind: 'other' }],
    ['Patient/../1', { kind: 'other' }],
    [`Patient/${'a'.repeat(65)}`, { kind: 'other' }],
    ['Patient', { kind: 'other' }],
    ['javascript:alert(1)', { kind: 'other' }],
    ['', { kind: 'other' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text, base)).toEqual(expected)
  })

  // https://www.rfc-editor.org/rfc/rfc3986#section-5.2 and #section-6.2
  it.each([
    '/Patient/1',
    '/fhir/Patient/1',
    './Patient/1',
    '../fhir/Patient/1',
    '../Patient/1',
    'Patient/1/',
    'Patient/1#',
    'Patient/1#part',
    'Patient/1/#part',
    'Patient/1?_format=json',
    'Patient//1',
    'Patient/%31',
    'P%61tient/1',
    ' Patient/1',
    'Patient\\1',
    '//box.example/fhir/Patient/1',
    'HTTPS://box.example/fhir/Patient/1',
    'Https://BOX.example/fhir/Patient/1',
    'https://box.example:443/fhir/Patient/1',
    'https://user@box.example/fhir/Patient/1',
    `${base}/Patient/1/`,
    `${base}/Patient/1#part`,
    `${base}//Patient/1`,
    `${base}/../fhir/Patient/1`,
    `${base}/Patient/1?x=y`,
  ])('%s leads to a Patient of this server', text => {
    expect(parseReference(text, base)).toEqual({ kind: 'local', type: 'Patient', id: '1' })
    expect(parseReference(`${text.replace(/[#?].*|\/$/g, '')}/_history/2/`, base)).toMatchObject({
      id: '1',
      version: '2',
    })
  })

  it.each([
    'HTTPS://other.example/fhir/Patient/1',
    'https://box.example:8443/fhir/Patient/1',
    'https://box.example/Patient/1',
    'https://box.example/other/Patient/1',
    'https://box.example@other.example/fhir/Patient/1',
    'https://other.example/?https://box.example/fhir/Patient/1',
    '//other.example/fhir/Patient/1',
    '/other/Patient/1',
    'fhir/Patient/1',
    'patient/1',
    'Patient/1/$everything',
    'Patient/1/Observation/2',
    'ftp://box.example/fhir/Patient/1',
  ])('%s leads to no Patient of this server', text => {
    expect(['absolute', 'other']).toContain(parseReference(text, base).kind)
  })

  it.each(['http://127.0.0.1:8080/fhir', 'http://box', 'https://box.example/a/b'])('a server at %s', at => {
    const { host } = new URL(at)
    for (const text of [`${at}/Patient/1/`, at.replace(host, host.toUpperCase()).concat('/Patient/1'), '/Patient/1'])
      expect(parseReference(text, at)).toMatchObject({ kind: 'local', id: '1' })
    expect(parseReference('HTTP://elsewhere/fhir/Patient/1', at)).toMatchObject({ kind: 'absolute', id: '1' })
  })
})

const urn = 'urn:uuid:4b895168-9500-aad7-3e19-467081f4123f'

function makeBundle(): Resource {
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: urn,
        resource: {
          resourceType: 'DocumentReference',
          subject: { reference: urn },
          identifier: [{ system: 'urn:ietf:rfc:3986', value: urn }],
          text: { status: 'generated', div: `<div><a href="${urn}">x</a> <img src='${urn}'/> ${urn}</div>` },
          _status: { extension: [{ url: 'http://x.example', valueReference: { reference: urn } }] },
          author: [{ display: 'nobody' }, { reference: 'Practitioner/1' }],
          content: [{ attachment: { url: urn } }],
          contained: [{ resourceType: 'DetectedIssue', reference: urn, patient: { reference: '#' } }],
          meta: { profile: [urn] },
        },
      },
    ],
  }
}

function visited(map: typeof mapReferences): readonly string[] {
  const paths: string[] = []
  map(makeBundle(), (text, path) => {
    paths.push(path.replace('Bundle.entry[0].resource', '~'))
    return text
  })
  return paths.sort()
}

describe('mapReferences', () => {
  it('visits each Reference, also in extensions of primitives and contained resources, and nothing else', () => {
    expect(visited(mapReferences)).toEqual([
      '~.author[1]',
      '~.contained[0].patient',
      '~.status.extension[0].valueReference',
      '~.subject',
    ])
  })

  it('puts the answer in place', () => {
    const resource: Resource = { resourceType: 'Observation', performer: [{ reference: urn }] }
    mapReferences(resource, () => 'Practitioner/7')
    expect(resource).toEqual({ resourceType: 'Observation', performer: [{ reference: 'Practitioner/7' }] })
  })

  it('writes nothing when nothing changes', () => {
    const resource: Resource = Object.freeze({
      resourceType: 'Observation',
      subject: Object.freeze({ reference: urn }),
    })
    expect(() => mapReferences(resource, text => text)).not.toThrow()
    expect(() => mapReferences(resource, () => 'Patient/1')).toThrow(TypeError)
  })

  it('walks past data of the wrong shape', () => {
    const resource: Resource = {
      resourceType: 'Observation',
      performer: [null, 1, 'x'],
      subject: 'x',
      unknown: { reference: urn },
    }
    expect(() => mapReferences(resource, () => 'Patient/1')).not.toThrow()
    expect(resource.unknown).toEqual({ reference: urn })
  })
})

describe('mapLinks – https://hl7.org/fhir/R4/http.html#trules', () => {
  it('visits uris and narrative too, but not strings', () => {
    expect(visited(mapLinks)).toEqual([
      'Bundle.entry[0].fullUrl',
      '~.author[1]',
      '~.contained[0].patient',
      '~.contained[0].reference',
      '~.content[0].attachment.url',
      '~.identifier[0].system',
      '~.meta.profile[0]',
      '~.status.extension[0].url',
      '~.status.extension[0].valueReference',
      '~.subject',
      '~.text.div',
      '~.text.div',
    ])
  })

  it('rewrites attributes of the narrative and leaves its text', () => {
    const bundle = makeBundle()
    mapLinks(bundle, text => (text === urn ? 'Patient/1' : text))
    expect(JSON.stringify(bundle)).toContain(`<a href=\\"Patient/1\\">x</a> <img src='Patient/1'/> ${urn}</div>`)
    expect(JSON.stringify(bundle)).toContain(`"value":"${urn}"`)
  })
})
