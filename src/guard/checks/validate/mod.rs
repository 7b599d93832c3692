//! What a pattern cannot say: check digits, number spaces and dates. A match that fails its validator is no match.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::address::Reach;

mod american;
mod asian;
mod crypto;
mod european;
mod northern;
mod number;
mod payment;
mod phone;
mod secret;

/// A further test of what a pattern matched. Spaces, dots, dashes and slashes inside of a number do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// A telephone number with `+` or `00` and its country: one that is assigned, and a length that numbers have there.
    Phone,
    /// A telephone number as it is dialled inside some country; a date, an amount of money or an IP address is none.
    NationalPhone,
    /// A telephone number of North America: area code and exchange that can have been given out.
    NorthAmericanPhone,
    /// The check digit of payment cards, and of much else.
    Luhn,
    /// A payment card: check digit, and a prefix and length that a network gives out.
    PaymentCard,
    /// Country, length and check digits of a bank account (ISO 13616).
    Iban,
    /// A Bitcoin address, by its checksum: base58check or bech32.
    Bitcoin,
    /// A public IP address: loopback, private and documentation addresses live in code and name nobody.
    PublicIp,
    /// A MAC address of one device: not empty, not a group's, not from the documentation.
    Mac,
    /// A date that somebody alive can have been born on: day, month and year in figures, in any order that the year tells.
    BirthDate,
    /// A US social security number that can have been given out.
    UsSsn,
    /// A US individual taxpayer identification number.
    UsItin,
    /// Canadian social insurance number.
    CaSin,
    /// Mexican Clave Única de Registro de Población.
    MxCurp,
    /// Brazilian Cadastro de Pessoas Físicas.
    BrCpf,
    /// Brazilian Cadastro Nacional da Pessoa Jurídica.
    BrCnpj,
    /// Chilean Rol Único Tributario.
    ClRut,
    /// UK National Insurance number.
    GbNino,
    /// UK NHS number.
    GbNhs,
    /// Spanish DNI or NIE.
    EsDni,
    /// Italian codice fiscale.
    ItCodiceFiscale,
    /// French numéro de sécurité sociale (NIR).
    FrNir,
    /// German Steuer-Identifikationsnummer.
    DeSteuerId,
    /// Polish PESEL.
    PlPesel,
    /// Portuguese número de identificação fiscal.
    PtNif,
    /// Dutch burgerservicenummer.
    NlBsn,
    /// Belgian rijksregisternummer.
    BeRrn,
    /// Swiss AHV number.
    ChAhv,
    /// Swedish personnummer.
    SePersonnummer,
    /// Finnish henkilötunnus.
    FiHetu,
    /// Norwegian fødselsnummer.
    NoFodselsnummer,
    /// Danish CPR number: newer ones have no check digit, so only its date tells.
    DkCpr,
    /// Indian Aadhaar.
    InAadhaar,
    /// Indian permanent account number.
    InPan,
    /// Chinese resident identity number.
    CnResidentId,
    /// Korean resident registration number.
    KrRrn,
    /// Japanese My Number.
    JpMyNumber,
    /// Singaporean NRIC or FIN.
    SgNric,
    /// Turkish kimlik numarası.
    TrKimlik,
    /// Israeli teudat zehut.
    IlTeudatZehut,
    /// South African identity number.
    ZaId,
    /// Australian tax file number.
    AuTfn,
    /// Australian Medicare number.
    AuMedicare,
    /// A JSON Web Token: its header is a JSON object that names an algorithm.
    Jwt,
    /// A secret as people write them down: letters and digits, and not the stand-in of an example.
    Secret,
}

impl Validator {
    /// Whether the matched text holds.
    pub fn holds(self, matched: &str) -> bool {
        match self {
            Self::Phone => phone::international(matched),
            Self::NationalPhone => phone::national(matched),
            Self::NorthAmericanPhone => phone::north_american(matched),
            Self::Luhn => payment::luhn(matched),
            Self::PaymentCard => payment::card(matched),
            Self::Iban => payment::iban(matched),
            Self::Bitcoin => crypto::bitcoin(matched),
            Self::PublicIp => matched.parse().is_ok_and(|address: IpAddr| Reach::of(address) == Reach::Public),
            Self::Mac => mac(matched),
            Self::BirthDate => number::birth_date(matched),
            Self::UsSsn => american::us_ssn(matched),
            Self::UsItin => american::us_itin(matched),
            Self::CaSin => american::ca_sin(matched),
            Self::MxCurp => american::mx_curp(matched),
            Self::BrCpf => american::br_cpf(matched),
            Self::BrCnpj => american::br_cnpj(matched),
            Self::ClRut => american::cl_rut(matched),
            Self::GbNino => european::gb_nino(matched),
            Self::GbNhs => european::gb_nhs(matched),
            Self::EsDni => european::es_dni(matched),
            Self::ItCodiceFiscale => european::it_codice_fiscale(matched),
            Self::FrNir => european::fr_nir(matched),
            Self::DeSteuerId => european::de_steuer_id(matched),
            Self::PlPesel => european::pl_pesel(matched),
            Self::PtNif => european::pt_nif(matched),
            Self::NlBsn => european::nl_bsn(matched),
            Self::BeRrn => european::be_rrn(matched),
            Self::ChAhv => european::ch_ahv(matched),
            Self::SePersonnummer => northern::se_personnummer(matched),
            Self::FiHetu => northern::fi_hetu(matched),
            Self::NoFodselsnummer => northern::no_fodselsnummer(matched),
            Self::DkCpr => northern::dk_cpr(matched),
            Self::InAadhaar => asian::in_aadhaar(matched),
            Self::InPan => asian::in_pan(matched),
            Self::CnResidentId => asian::cn_resident_id(matched),
            Self::KrRrn => asian::kr_rrn(matched),
            Self::JpMyNumber => asian::jp_my_number(matched),
            Self::SgNric => asian::sg_nric(matched),
            Self::TrKimlik => asian::tr_kimlik(matched),
            Self::IlTeudatZehut => asian::il_teudat_zehut(matched),
            Self::ZaId => asian::za_id(matched),
            Self::AuTfn => asian::au_tfn(matched),
            Self::AuMedicare => asian::au_medicare(matched),
            Self::Jwt => secret::jwt(matched),
            Self::Secret => secret::written_down(matched),
        }
    }
}

fn mac(matched: &str) -> bool {
    let mut octets = [0_u8; 6];
    let mut parts = matched.split([':', '-']);
    let read = octets.iter_mut().all(|octet| {
        let part = parts.next().and_then(|part| u8::from_str_radix(part, 16).ok());
        part.map(|part| *octet = part).is_some()
    });
    let of_a_group = octets[0] & 1 == 1;
    let documentation = octets.starts_with(&[0, 0, 0x5e, 0, 0x53]);
    read && parts.next().is_none() && octets != [0; 6] && !of_a_group && !documentation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator as _;

    use super::*;

    /// A number that holds for each validator, and one that does not for want of a digit or a letter.
    const NUMBERS: &[(Validator, &str, &str)] = &[
        (Validator::Phone, "+44 7700 900 123", "+999 7700 900 123"),
        (Validator::NationalPhone, "467 3395", "2012-10-01"),
        (Validator::NorthAmericanPhone, "(650) 253-0142", "(150) 253-0142"),
        (Validator::Luhn, "4111 1111 1111 1111", "4111 1111 1111 1112"),
        (Validator::PaymentCard, "5500-0055-5555-5559", "1700000000000001"),
        (Validator::Iban, "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"),
        (Validator::Bitcoin, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1BoatSLRHtKNngkdXEeobR76b53LETtpyU"),
        (Validator::Bitcoin, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
        (Validator::PublicIp, "8.8.4.4", "192.168.1.1"),
        (Validator::PublicIp, "2606:4700:4700::1111", "2001:db8::1"),
        (Validator::Mac, "00:1b:63:84:45:e6", "00:1b:63:84:45"),
        (Validator::BirthDate, "1984-02-29", "1983-02-29"),
        (Validator::UsSsn, "536-90-4399", "666-12-3456"),
        (Validator::UsSsn, "212456789", "078-05-1120"),
        (Validator::UsItin, "912-70-1234", "912-66-1234"),
        (Validator::GbNino, "AB 12 34 56 C", "QQ 12 34 56 C"),
        (Validator::DkCpr, "251274-4265", "321274-4265"),
        (Validator::InPan, "AZWPB9627C", "AZWDB9627C"),
        (Validator::KrRrn, "970615-2828281", "971315-2828281"),
        (Validator::EsDni, "12345678Z", "12345678A"),
        (Validator::EsDni, "X1234567L", "X1234567A"),
        (Validator::Jwt, "eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJhIjoxfQ.e30.x"),
        (Validator::Secret, "k8Wq2zR5tY1u", "your-key-1"),
        (Validator::CaSin, "326 018 157", "326 018 158"),
        (Validator::MxCurp, "JADR870117MDFKDW05", "JADR870117MDFKDW06"),
        (Validator::BrCpf, "609.139.099-63", "609.139.099-64"),
        (Validator::BrCnpj, "60.308.246/0001-57", "60.308.246/0001-58"),
        (Validator::ClRut, "9.840.397-3", "9.840.397-4"),
        (Validator::GbNhs, "819 482 1991", "819 482 1992"),
        (Validator::ItCodiceFiscale, "CPTCRB90D12F608O", "CPTCRB90D12F609O"),
        (Validator::FrNir, "2 93 09 60 300 473 11", "2 93 09 60 300 473 12"),
        (Validator::DeSteuerId, "16 047 385 960", "16 047 385 961"),
        (Validator::PlPesel, "53122349742", "53122349743"),
        (Validator::PtNif, "265 075 297", "265 075 298"),
        (Validator::NlBsn, "170342360", "170342361"),
        (Validator::BeRrn, "75.08.03-171.12", "75.08.03-171.13"),
        (Validator::ChAhv, "756.7684.2684.69", "756.7684.2684.60"),
        (Validator::SePersonnummer, "721113-3215", "721113-3216"),
        (Validator::FiHetu, "080361-6764", "080361-6765"),
        (Validator::NoFodselsnummer, "160164 92438", "160164 92439"),
        (Validator::InAadhaar, "6026 8599 5285", "6026 8599 5286"),
        (Validator::CnResidentId, "440305198911220562", "440305198911220563"),
        (Validator::JpMyNumber, "8866 6617 6039", "8866 6617 6030"),
        (Validator::SgNric, "S3721590B", "S3721591B"),
        (Validator::TrKimlik, "20928159062", "20928159063"),
        (Validator::IlTeudatZehut, "139624597", "139624598"),
        (Validator::ZaId, "730804 1889 080", "730804 1889 081"),
        (Validator::AuTfn, "877 741 211", "877 741 212"),
        (Validator::AuMedicare, "4472 80384 1", "4472803851"),
    ];

    #[test]
    fn tells_real_numbers_from_numbers_that_look_like_them() {
        for &(validator, holds, fails) in NUMBERS {
            assert!(validator.holds(holds), "{validator:?} {holds}");
            assert!(!validator.holds(fails), "{validator:?} {fails}");
        }
        for validator in Validator::iter() {
            assert!(NUMBERS.iter().any(|(tried, ..)| *tried == validator), "{validator:?} has no number here");
        }
    }

    #[test]
    fn an_address_of_nobody_is_let_go() {
        for ip in ["10.1.2.3", "100.64.1.1", "192.0.2.7", "::1", "1.2.3.400"] {
            assert!(!Validator::PublicIp.holds(ip), "{ip}");
        }
        for mac in ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "00:00:5E:00:53:01", "00:1b:63:84:45:e6:aa"] {
            assert!(!Validator::Mac.holds(mac), "{mac}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_validator(text in r"(?s).{0,40}|[0-9A-Za-z+()./: -]{0,40}|[0-9]{0,30}") {
            for validator in Validator::iter() {
                validator.holds(&text);
            }
        }

        #[test]
        fn one_wrong_digit_is_noticed_where_a_check_digit_is_over_all(place in 0_usize..40, by in 1_u8..10) {
            let checked = [
                Validator::Luhn, Validator::Iban, Validator::CaSin, Validator::ClRut, Validator::EsDni, Validator::ItCodiceFiscale,
                Validator::FrNir, Validator::DeSteuerId, Validator::PlPesel, Validator::ChAhv, Validator::FiHetu, Validator::InAadhaar,
                Validator::CnResidentId, Validator::SgNric, Validator::TrKimlik, Validator::IlTeudatZehut, Validator::ZaId,
            ];
            for &(validator, holds, _) in NUMBERS.iter().filter(|(validator, ..)| checked.contains(validator)) {
                let mut bytes = holds.as_bytes().to_vec();
                let place = place % bytes.len();
                if bytes[place].is_ascii_digit() {
                    bytes[place] = b'0' + (bytes[place] - b'0' + by) % 10;
                    let wrong = String::from_utf8(bytes).unwrap();
                    prop_assert!(!validator.holds(&wrong), "{:?} {} {}", validator, holds, wrong);
                }
            }
        }
    }
}
