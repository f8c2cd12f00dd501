import { compact, Draft, type Node, nameText } from '../hl7v2/drafts.ts'
import { type Around, conceptOf, identifiersOf, periodOf } from './data-types.ts'
import { type CdaElement, textOf } from './element.ts'
import { inSet } from './tables.ts'

/** PN, ON: the names of a person, one for each use; what they are called, and their name at birth, are names of their own. */
export function namesOf(element: CdaElement | undefined, around: Around): readonly Node[] {
  return (element?.all('name') ?? []).flatMap(name => nameOf(name, around))
}

function nameOf(name: CdaElement, around: Around): readonly Node[] {
  const given = name.all('given')
  const called = given.filter(isQualified('CL'))
  const maiden = name.all('family').filter(isQualified('BR'))
  const use = inSet('name-use', (name.attribute('use') ?? '').split(/\s+/)[0])?.code
  const own = compact({
    use,
    text: ownText(name),
    prefix: textsOf(name.all('prefix')),
    given: textsOf(given.filter(one => !called.includes(one))),
    family: textsOf(name.all('family').filter(one => !maiden.includes(one))).join(' '),
    suffix: textsOf(name.all('suffix')),
    period: periodOf(name.find('validTime'), around),
  })
  const others: readonly (Node | undefined)[] = [
    own,
    compact({ use: 'nickname', given: textsOf(called) }),
    compact({ use: 'maiden', family: textsOf(maiden).join(' ') }),
  ]
  return others.filter(one => one !== undefined && nameParts.some(part => one[part] !== undefined)) as Node[]
}

const nameParts = ['text', 'prefix', 'given', 'family', 'suffix'] as const

const isQualified = (qualifier: string) => (part: CdaElement) =>
  (part.attribute('qualifier') ?? '').split(/\s+/).includes(qualifier)

function textsOf(parts: readonly CdaElement[]): readonly string[] {
  return parts.flatMap(part => {
    const text = textOf(part)
    if (text !== '') part.use('all')
    return text === '' ? [] : [text]
  })
}

/** Words that stand beside the parts, or instead of them. */
function ownText(element: CdaElement): string | undefined {
  const own = element.content.filter(one => typeof one === 'string').join(' ')
  const text = own.replace(/\s+/g, ' ').trim()
  if (text !== '') element.use()
  return text === '' ? undefined : text
}

/** AD. */
export function addressesOf(element: CdaElement | undefined, around: Around): readonly Node[] {
  return (element?.all('addr') ?? []).flatMap(address => {
    const found = addressOf(address, around)
    return found === undefined ? [] : [found]
  })
}

/** Parts of a street address that some senders take apart. */
const lineParts = [
  'streetAddressLine',
  'streetName',
  'houseNumber',
  'unitID',
  'additionalLocator',
  'postBox',
  'delimiter',
]

function addressOf(address: CdaElement, around: Around): Node | undefined {
  const one = (name: string) => textsOf(address.all(name)).join(' ')
  const use = inSet('address-use', (address.attribute('use') ?? '').split(/\s+/)[0])?.code
  const found = compact({
    text: ownText(address),
    line: textsOf(address.all(...lineParts)),
    city: one('city'),
    district: one('county'),
    state: one('state'),
    postalCode: one('postalCode'),
    country: one('country'),
    period: periodOf(address.find('useablePeriod'), around),
  })
  return found === undefined ? undefined : { ...(use === undefined ? {} : { use }), ...found }
}

/** TEL: `tel:+1(555)…`, `mailto:…`; a number without a scheme is a phone. */
export function telecomsOf(element: CdaElement | undefined, around: Around): readonly Node[] {
  return (element?.all('telecom') ?? []).flatMap(telecom => {
    const text = telecom.attribute('value')
    if (text === undefined) return []
    telecom.use()
    const scheme = /^([a-z][a-z-]*):/i.exec(text)?.[1]?.toLowerCase()
    const system =
      scheme === undefined ? (text.includes('@') ? 'email' : 'phone') : inSet('telecom-system', scheme)?.code
    const isUrl = system === 'url'
    const value = (isUrl || scheme === undefined ? text : text.slice(scheme.length + 1)).trim()
    if (value === '') return []
    const uses = (telecom.attribute('use') ?? '').split(/\s+/).flatMap(use => inSet('telecom-use', use)?.code ?? [])
    const use = uses.includes('mobile') ? 'mobile' : uses[0]
    const period = periodOf(telecom.find('useablePeriod'), around)
    return [compact({ system: system ?? 'other', value, use, period }) as Node]
  })
}

/** Elements that hold an organization. */
const organizationNames = [
  'representedOrganization',
  'receivedOrganization',
  'scopingOrganization',
  'representedCustodianOrganization',
  'providerOrganization',
  'serviceProviderOrganization',
  'manufacturerOrganization',
  'scopingEntity',
]
const personNames = [
  'assignedPerson',
  'associatedPerson',
  'informationRecipient',
  'relatedPerson',
  'guardianPerson',
  'playingEntity',
  'subject',
]

/** An organization that is known within what refers to it. */
export function organizationOf(element: CdaElement | undefined, around: Around): Draft | undefined {
  if (element === undefined) return undefined
  const names = element.all('name').map(name => textOf(name.use('all')))
  const [name = textOf(element.find('desc')?.use('all')), ...alias] = names.filter(text => text !== '')
  const part = organizationOf(element.find('asOrganizationPartOf.wholeOrganization'), around)
  const elements = compact({
    identifier: identifiersOf(element),
    name,
    alias,
    telecom: telecomsOf(element, around),
    address: addressesOf(element, around),
    partOf: part,
  })
  return elements === undefined ? undefined : new Draft('Organization', elements)
}

/** The organization for which somebody, or something, in a role stands. */
export function organizationIn(role: CdaElement | undefined, around: Around): Draft | undefined {
  return organizationOf(role?.all(...organizationNames)[0], around)
}

/**
 * Whoever has a role: a person, for an organization or of a profession, a device, or an organization alone. They are contained in what
 * refers to them.
 */
export function partyOf(role: CdaElement | undefined, around: Around): Draft | undefined {
  if (role === undefined) return undefined
  const organization = organizationIn(role, around)
  const device = deviceOf(role, around)
  if (device !== undefined) return device
  const person = role.all(...personNames)[0]
  const name = namesOf(person, around)
  const identifier = identifiersOf(role)
  const code = conceptOf(role.find('code'), around)
  const telecom = telecomsOf(role, around)
  const address = addressesOf(role, around)
  const elements = compact({ identifier, name, telecom, address })
  if (person === undefined && elements === undefined && code === undefined) return organization
  const called = nameText(name[0]) ?? (name[0]?.text as string | undefined)
  const practitioner = elements === undefined ? undefined : new Draft('Practitioner', elements, called)
  if (organization === undefined && code === undefined) return practitioner
  const display = called ?? organization?.elements.name
  return new Draft(
    'PractitionerRole',
    compact({ practitioner, organization, specialty: code === undefined ? [] : [code] }) ?? {},
    typeof display === 'string' ? display : code?.text,
  )
}

function deviceOf(role: CdaElement, around: Around): Draft | undefined {
  const device = role.find('assignedAuthoringDevice')
  if (device === undefined) return undefined
  const names = ['manufacturerModelName', 'softwareName'].map(name => textOf(device.find(name)?.use('all')))
  const deviceName = [...new Set(names)].filter(name => name !== '').map(name => ({ name, type: 'other' }))
  const elements = compact({
    identifier: identifiersOf(role),
    type: conceptOf(device.find('code'), around),
    deviceName,
    owner: organizationIn(role, around),
  })
  return elements === undefined ? undefined : new Draft('Device', elements)
}

/** Somebody who stands near the patient. */
export function relatedOf(role: CdaElement, patient: object, around: Around): Draft | undefined {
  const person = role.all(...personNames)[0]
  const code = conceptOf(role.find('code'), around)
  const elements = compact({
    identifier: identifiersOf(role),
    relationship: code === undefined ? [] : [code],
    name: namesOf(person, around),
    telecom: telecomsOf(role, around),
    address: addressesOf(role, around),
  })
  return elements === undefined ? undefined : new Draft('RelatedPerson', { patient, ...elements })
}

/** A place with the organization that keeps it. */
export function locationOf(role: CdaElement | undefined, around: Around): Draft | undefined {
  if (role === undefined) return undefined
  const place = role.find('location') ?? role.find('playingEntity')
  const name = textOf(place?.find('name')?.use('all'))
  const description = textOf(place?.find('desc')?.use('all'))
  const type = conceptOf(role.find('code'), around)
  const [address] = [...addressesOf(role, around), ...addressesOf(place, around)]
  const elements = compact({
    identifier: identifiersOf(role),
    name,
    description,
    type: type === undefined ? [] : [type],
    telecom: telecomsOf(role, around),
    address,
    managingOrganization: organizationIn(role, around),
  })
  return elements === undefined ? undefined : new Draft('Location', elements)
}
