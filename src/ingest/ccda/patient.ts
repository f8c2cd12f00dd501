import type { CodeableConcept } from '../codes.ts'
import { compact, type Node, nameText } from '../hl7v2/drafts.ts'
import { type Around, codingOf, conceptOf, identifiersOf, timeOf } from './data-types.ts'
import type { CdaElement } from './element.ts'
import { addressesOf, namesOf, organizationIn, telecomsOf } from './people.ts'
import { inSet } from './tables.ts'

const core = 'http://hl7.org/fhir/us/core/StructureDefinition/'
const fhir = 'http://hl7.org/fhir/StructureDefinition/'
/** CDC Race and Ethnicity: the codes that US Core calls categories. */
const ombRaces: ReadonlySet<string> = new Set(['1002-5', '2028-9', '2054-5', '2076-8', '2106-3'])
const ombEthnicities: ReadonlySet<string> = new Set(['2135-2', '2186-5'])

/**
 * recordTarget → the elements of a Patient.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-patient.html
 */
export function patientOf(recordTarget: CdaElement, around: Around): Node {
  const role = recordTarget.find('patientRole')
  const patient = role?.find('patient')
  const born = timeOf(patient?.find('birthTime'), around)
  return {
    resourceType: 'Patient',
    ...compact({
      identifier: identifiersOf(role),
      name: namesOf(patient, around),
      telecom: telecomsOf(role, around),
      address: addressesOf(role, around),
      gender: genderOf(patient),
      birthDate: born?.slice(0, 10),
      _birthDate: born?.includes('T') === true ? birthTimeOf(born) : undefined,
      ...deathOf(patient, around),
      ...birthsOf(patient),
      maritalStatus: conceptOf(patient?.find('maritalStatusCode'), around),
      communication: languagesOf(patient),
      contact: guardiansOf(patient, around),
      extension: extensionsOf(patient, around),
    }),
  }
}

function birthTimeOf(time: string): Node {
  return { extension: [{ url: `${fhir}patient-birthTime`, valueDateTime: time }] }
}

function genderOf(patient: CdaElement | undefined): string | undefined {
  const element = patient?.find('administrativeGenderCode')
  const code = inSet('gender', element ?? undefined)?.code
  if (code !== undefined) element?.use('all')
  return code
}

function deathOf(patient: CdaElement | undefined, around: Around): Node {
  const time = timeOf(patient?.find('deceasedTime'), around)
  const isDead = patient?.find('deceasedInd')?.attribute('value')
  if (isDead === 'true' || isDead === 'false') patient?.find('deceasedInd')?.use()
  if (time !== undefined) return { deceasedDateTime: time }
  return isDead === 'true' || isDead === 'false' ? { deceasedBoolean: isDead === 'true' } : {}
}

function birthsOf(patient: CdaElement | undefined): Node {
  const [order, isMultiple] = ['multipleBirthOrderNumber', 'multipleBirthInd'].map(name => patient?.find(name))
  const number = Number(order?.attribute('value') ?? Number.NaN)
  const said = isMultiple?.attribute('value')
  if (Number.isInteger(number) && number > 0 && number < 20) {
    order?.use()
    isMultiple?.use()
    return { multipleBirthInteger: number }
  }
  if (said !== 'true' && said !== 'false') return {}
  isMultiple?.use()
  return { multipleBirthBoolean: said === 'true' }
}

function languagesOf(patient: CdaElement | undefined): readonly Node[] {
  return (patient?.all('languageCommunication') ?? []).flatMap(one => {
    const element = one.find('languageCode')
    const code = element?.attribute('code')
    if (code === undefined) return []
    element?.use()
    const preferred = one.find('preferenceInd')?.use().attribute('value') === 'true'
    const proficiency = proficiencyOf(one)
    return [
      compact({
        extension: proficiency === undefined ? [] : [{ url: `${fhir}patient-proficiency`, extension: proficiency }],
        language: { coding: [{ system: 'urn:ietf:bcp:47', code }] },
        preferred: preferred ? true : undefined,
      }) as Node,
    ]
  })
}

function proficiencyOf(language: CdaElement): readonly Node[] | undefined {
  const [level, mode] = [codingOf(language.find('proficiencyLevelCode')), codingOf(language.find('modeCode'))]
  const parts = [level && { url: 'level', valueCoding: level }, mode && { url: 'type', valueCoding: mode }].filter(
    one => one !== undefined,
  )
  return parts.length === 0 ? undefined : parts
}

function guardiansOf(patient: CdaElement | undefined, around: Around): readonly Node[] {
  return (patient?.all('guardian') ?? []).flatMap(guardian => {
    const [name, ...others] = namesOf(guardian.find('guardianPerson'), around)
    const relationship = conceptOf(guardian.find('code'), around)
    const organization = organizationIn(guardian, around)?.elements.name
    const [address] = addressesOf(guardian, around)
    const found = compact({
      relationship: [...(relationship === undefined ? [] : [relationship]), { text: 'Guardian' }],
      name: withOthers(name, others),
      telecom: telecomsOf(guardian, around),
      address,
      organization: typeof organization === 'string' ? { display: organization } : undefined,
    })
    return found === undefined || (name ?? found.telecom ?? address ?? found.organization) === undefined ? [] : [found]
  })
}

/** A contact has one name; what else they are called stands in its words. */
function withOthers(name: Node | undefined, others: readonly Node[]): Node | undefined {
  const words = [name, ...others].map(one => nameText(one) ?? (one?.text as string | undefined))
  return name === undefined || others.length === 0 ? name : { ...name, text: words.filter(Boolean).join(', ') }
}

function extensionsOf(patient: CdaElement | undefined, around: Around): readonly Node[] {
  if (patient === undefined) return []
  const religion = conceptOf(patient.find('religiousAffiliationCode'), around)
  const [place] = addressesOf(patient.find('birthplace.place'), around)
  return [
    ...groupOf(`${core}us-core-race`, patient.all('raceCode'), ombRaces),
    ...groupOf(`${core}us-core-ethnicity`, patient.all('ethnicGroupCode'), ombEthnicities),
    ...(religion === undefined ? [] : [{ url: `${fhir}patient-religion`, valueCodeableConcept: religion }]),
    ...(place === undefined ? [] : [{ url: `${fhir}patient-birthPlace`, valueAddress: place }]),
  ]
}

/** Race, ethnicity: categories, details, and the words for all of them. */
function groupOf(url: string, elements: readonly CdaElement[], categories: ReadonlySet<string>): readonly Node[] {
  const all = elements.flatMap(element => codingOf(element) ?? [])
  if (all.length === 0) return []
  const of = (isCategory: boolean) => all.filter(({ code = '' }) => categories.has(code) === isCategory)
  const text = all.map(({ display, code }) => display ?? code).join(', ')
  return [
    {
      url,
      extension: [
        ...of(true).map(valueCoding => ({ url: 'ombCategory', valueCoding })),
        ...of(false).map(valueCoding => ({ url: 'detailed', valueCoding })),
        { url: 'text', valueString: text },
      ],
    },
  ]
}

/** What an entry says of the person for which a Patient has an extension. */
export function identityExtension(kind: 'birth-sex' | 'gender-identity', value: CdaElement, around: Around) {
  if (kind === 'gender-identity') {
    const concept: CodeableConcept | undefined = conceptOf(value, around)
    return concept === undefined ? undefined : { url: `${core}us-core-genderIdentity`, valueCodeableConcept: concept }
  }
  const code = value.attribute('code') ?? value.nullFlavor
  if (code === undefined || !['F', 'M', 'UNK', 'ASKU', 'OTH'].includes(code)) return undefined
  value.use('all')
  return { url: `${core}us-core-birthsex`, valueCode: code }
}
