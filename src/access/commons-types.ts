/**
 * What is nobody's: who treats, where, with what, and what words mean. Only these types may lie in the commons, and a type of
 * the patient compartment is never among them. Everything else that names no patient is some household's.
 */
import { compartmentTypes } from './owner-paths.ts'

/**
 * What is published rather than recorded: definitions and terminology, which no row refers to by a Reference but many by
 * a canonical URL. Every canonical resource of R4; a `patient/` scope sees them without their being referenced.
 *
 * @see https://hl7.org/fhir/R4/metadataresource.html
 */
export const publishedTypes: ReadonlySet<string> = new Set([
  'ActivityDefinition',
  'CapabilityStatement',
  'ChargeItemDefinition',
  'CodeSystem',
  'CompartmentDefinition',
  'ConceptMap',
  'EffectEvidenceSynthesis',
  'EventDefinition',
  'Evidence',
  'EvidenceVariable',
  'ExampleScenario',
  'GraphDefinition',
  'ImplementationGuide',
  'Library',
  'Measure',
  'MessageDefinition',
  'NamingSystem',
  'ObservationDefinition',
  'OperationDefinition',
  'PlanDefinition',
  'Questionnaire',
  'ResearchDefinition',
  'ResearchElementDefinition',
  'RiskEvidenceSynthesis',
  'SearchParameter',
  'SpecimenDefinition',
  'StructureDefinition',
  'StructureMap',
  'TerminologyCapabilities',
  'TestScript',
  'ValueSet',
])

/** Who treats and where, and the catalogue of what there is to treat with. A Device is not here: it is somebody's. */
const sharedTypes: ReadonlySet<string> = new Set([
  'CatalogEntry',
  'DeviceDefinition',
  'Endpoint',
  'HealthcareService',
  'InsurancePlan',
  'Location',
  'Medication',
  'MedicationKnowledge',
  'MedicinalProduct',
  'MedicinalProductAuthorization',
  'MedicinalProductContraindication',
  'MedicinalProductIndication',
  'MedicinalProductIngredient',
  'MedicinalProductInteraction',
  'MedicinalProductManufactured',
  'MedicinalProductPackaged',
  'MedicinalProductPharmaceutical',
  'MedicinalProductUndesirableEffect',
  'Organization',
  'OrganizationAffiliation',
  'Practitioner',
  'PractitionerRole',
  'ResearchStudy',
  'Substance',
  'SubstanceNucleicAcid',
  'SubstancePolymer',
  'SubstanceProtein',
  'SubstanceReferenceInformation',
  'SubstanceSourceMaterial',
  'SubstanceSpecification',
])

/** Whether resources of the type may lie in the commons at all. */
export function isCommonsType(type: string): boolean {
  return (publishedTypes.has(type) || sharedTypes.has(type)) && !compartmentTypes.has(type)
}
