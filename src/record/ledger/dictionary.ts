/**
 * Text that FHIR resources share. Deflate refers back to it, so a small resource need not carry it: a 620-byte
 * heart-rate Observation shrinks to about a sixth. The most frequent pieces stand last, where distances are short.
 *
 * @NOTE entries written with one dictionary can be read only with the same one: `payload.ts` numbers them, and a
 * changed dictionary is a new number beside the old, never a replacement.
 */
const pieces: readonly string[] = [
  '"contained":[{"resourceType":"Medication","id":"med0"',
  '{"resourceType":"Practitioner","id":"","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"',
  '{"resourceType":"Organization","name":"","active":true,"type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"prov","display":"Healthcare Provider"}]}]',
  '"telecom":[{"system":"phone","value":"","use":"home"}],"address":[{"line":["',
  '"],"city":"","state":"","postalCode":"","country":"US"}]',
  '"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"',
  '{"resourceType":"Patient","id":"","name":[{"use":"official","family":"","given":["',
  '"gender":"female","birthDate":"19","gender":"male","birthDate":"20',
  '{"resourceType":"Encounter","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"type":[{"coding":[{"system":"http://snomed.info/sct","code":"',
  '"participant":[{"individual":{"reference":"Practitioner/","display":"Dr. "}}],"period":{"start":"","end":"',
  '"serviceProvider":{"reference":"Organization/","display":"',
  '{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"encounter-diagnosis","display":"Encounter Diagnosis"}]}]',
  '"onsetDateTime":"","abatementDateTime":"","recordedDate":"',
  '{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"',
  '{"resourceType":"MedicationStatement","status":"active","medicationCodeableConcept":{"dosage":[{"text":"',
  '"authoredOn":"","requester":{"reference":"Practitioner/","dosageInstruction":[{"sequence":1,"text":"","timing":{"repeat":{"frequency":1,"period":1,"periodUnit":"d"}},"asNeededBoolean":false',
  '{"resourceType":"Immunization","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"","occurrenceDateTime":"","primarySource":true}',
  '{"resourceType":"AllergyIntolerance","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"',
  '{"resourceType":"Procedure","status":"completed","code":{"performedPeriod":{"start":"',
  '{"resourceType":"DiagnosticReport","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}]}],"result":[{"reference":"Observation/',
  '"identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"urn:oid:2.16.840.1.113883.',
  '"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/',
  '"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">',
  '"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H","display":"High"}]}],"referenceRange":[{"low":{"value":},"high":{"value":}}]',
  '"code":"survey"}]}],"code":"social-history","display":"Social History"}]}],"code":"activity","display":"Activity"}]}],"code":"exam"}]}],"code":"laboratory","display":"Laboratory"}]}]',
  '{"resourceType":"AuditEvent","id":"","meta":{"versionId":"1","lastUpdated":"',
  '"type":{"system":"http://terminology.hl7.org/CodeSystem/audit-event-type","code":"rest","display":"RESTful Operation"},"subtype":[{"system":"http://hl7.org/fhir/restful-interaction","code":"read"}],"subtype":[{"system":"http://hl7.org/fhir/restful-interaction","code":"search-type"}],"subtype":[{"system":"http://hl7.org/fhir/restful-interaction","code":"create"}],"action":"R","action":"E","action":"C","period":{"start":"","end":"',
  '"recorded":"","outcome":"0","agent":[{"who":{"identifier":{"system":"https://kinhold.org/fhir/actor","value":"',
  '"requestor":true}],"source":{"observer":{"display":"Kinhold"}},"entity":[{"what":{"reference":"Patient/"},"role":{"system":"http://terminology.hl7.org/CodeSystem/object-role","code":"1"}},{"what":{"reference":"Observation/',
  '"note":[{"text":"',
  '"device":{"display":"Apple Watch"},"effectivePeriod":{"start":"20","end":"20',
  '"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}]},"valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4","display":"Diastolic blood pressure"}]},"valueQuantity":{"value":80',
  '"code":{"coding":[{"system":"http://loinc.org","code":"55423-8","display":"Number of steps"},{"system":"http://hl7.org/fhir/uv/phr/CodeSystem/observation-pghd-codes","code":"stepCount"}]',
  '{"system":"http://snomed.info/sct","code":"364075005","display":"Heart rate"},{"system":"http://hl7.org/fhir/uv/phr/CodeSystem/observation-pghd-codes","code":"heartRate"',
  '{"resourceType":"Observation","id":"","meta":{"versionId":"1","lastUpdated":"2026-01-01T00:00:00.000Z"},"identifier":[{"system":"https://kinhold.org/fhir/import","value":"',
  '"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}],"text":"Heart rate"},"subject":{"reference":"Patient/',
  '"},"encounter":{"reference":"Encounter/","effectiveDateTime":"2026-01-01T00:00:00+00:00","issued":"2026-01-01T00:00:00.000Z","performer":[{"reference":"Practitioner/',
  '"valueQuantity":{"value":1,"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}}',
]

/** Dictionary number 1. */
export const dictionary: Buffer = Buffer.from(pieces.join(''), 'utf8')
