/** Admission of the grandmother to a hospital that does not exist. */
export function admission(): string {
  return lines([
    'MSH|^~\\&|HIS|NORDKLINIK^2.999.1.1^ISO|KINHOLD|HOME|20260210081500+0100||ADT^A01^ADT_A01|NK-1001|P|2.5.1|||AL|NE||UNICODE UTF-8',
    'EVN|A01|20260210081500+0100',
    'PID|1||4711^^^NORDKLINIK&2.999.1.1&ISO^MR||Lindqvist^Greta^Maria^^Dr.^^L||19510312|F|||Hafenstraße 12^^Kiel^^24103^DE^H||^PRN^PH^^49^431^5550112||de|W^Widowed^HL70002',
    'NK1|1|Lindqvist^Anna^^^^^L|CHD^Child^HL70063||^PRN^CP^^49^170^5550113||C^Emergency contact^HL70131',
    'PV1|1|I|INT3^312^2^NORDKLINIK|U|||1001^Petersen^Jan^^^Dr.^^^NORDKLINIK&2.999.1.1&ISO||||||||||||V-2026-77^^^NORDKLINIK&2.999.1.1&ISO^VN|||||||||||||||||||||||||20260210080000+0100',
    'OBX|1|NM|8867-4^Heart rate^LN||88|/min|60-100|N|||F|||20260210083000+0100',
    'OBX|2|NM|8310-5^Body temperature^LN||37.8|Cel|36.1-37.2|H|||F|||20260210083000+0100',
    'AL1|1|DA^Drug allergy^HL70127|91936005^Allergy to penicillin^SCT|MO|Rash|2001',
    'DG1|1||J18.9^Pneumonia, unspecified organism^I10||20260210|A',
    'IN1|1|GKV|1017500^^^AOK|Nordkasse|||||||||20200101||||||||||||||||||||||||A123456789',
    'ZBE|1|20260210080000||INSERT',
  ])
}

/** Laboratory results of the same stay. */
export function results(): string {
  return lines([
    'MSH|^~\\&|LIS|NORDKLINIK^2.999.1.1^ISO|KINHOLD|HOME|20260210141000+0100||ORU^R01^ORU_R01|LAB-2002|P|2.5.1|||AL|NE||UNICODE UTF-8',
    'PID|1||4711^^^NORDKLINIK&2.999.1.1&ISO^MR||Lindqvist^Greta^Maria^^Dr.^^L||19510312|F',
    'PV1|1|I|INT3^312^2^NORDKLINIK||||||||||||||||V-2026-77^^^NORDKLINIK&2.999.1.1&ISO^VN',
    'ORC|RE|P-88^HIS|F-99^LIS||CM||||20260210090000+0100|||1001^Petersen^Jan^^^Dr.',
    'OBR|1|P-88^HIS|F-99^LIS|58410-2^CBC panel - Blood by Automated count^LN|||20260210093000+0100|||||||||1001^Petersen^Jan^^^Dr.||||||20260210135500+0100||LAB|F',
    'OBX|1|NM|718-7^Hemoglobin [Mass/volume] in Blood^LN||12.10|g/dL|11.7-15.5|N|||F|||20260210093000+0100',
    'OBX|2|NM|6690-2^Leukocytes [#/volume] in Blood by Automated count^LN||14.2|10*3/uL|4.0-10.0|H|||F|||20260210093000+0100',
    'OBX|3|NM|777-3^Platelets [#/volume] in Blood by Automated count^LN||260|10*3/uL|150-400|N|||F|||20260210093000+0100',
    'OBX|4|SN|1988-5^C reactive protein [Mass/volume] in Serum or Plasma^LN||>^90|mg/L|<5|HH|||F|||20260210093000+0100',
    'NTE|1||Repeated, result confirmed.',
    'SPM|1|S-55^S-55||BLD^Whole blood^HL70487|||||||||||||20260210093000+0100|20260210100000+0100',
  ])
}

function lines(segments: readonly string[]): string {
  return segments.map(segment => `${segment}\r`).join('')
}
